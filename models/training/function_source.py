"""What can be seen of a user's own training function before it runs: mistakes in its source.

Only what is wrong in any run is noted; where a value is known at run time only, nothing is said,
and the first trial says it (function.py, reported.py). Nothing is run here.
"""

from __future__ import annotations

import ast
import difflib
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from models.data.loading import ImageSplits
from models.data.text.splits import TextSplits
from models.training.function_signature import form_of, takes_state, trial_argument

# The public names of `trial_context.TrialContext`.
OF_A_TRIAL = ("report", "checkpoint", "device", "epochs", "seed", "folder", "data", "threat",
              "epoch", "should_stop")  # fmt: skip
# The module of `search.robustness.examples`, which imports torch.
_EXAMPLES = "models.training.image_evaluation"
# Names of Optuna's and Ray's trials -> what to write here.
_ELSEWHERE = {
    "suggest_float": "read the configuration: the space is in the spec",
    "suggest_int": "read the configuration: the space is in the spec",
    "suggest_categorical": "read the configuration: the space is in the spec",
    "should_prune": "remove it: trial.report ends a trial that the scheduler stops",
    "params": "read the configuration",
    "config": "read the configuration",
    "number": "use trial.seed, or trial.folder, which no two trials share",
    "get_checkpoint": "read trial.checkpoint",
}
# Calls of built-in functions that no worker can answer -> why.
_CALLS = {
    "input": "a worker has no keyboard; fix: remove it",
    "breakpoint": "a worker has no terminal; fix: remove it, and call the function yourself",
    "set_trace": "a worker has no terminal; fix: remove it, and call the function yourself",
}


@dataclass(frozen=True)
class Seen:
    """A function's source as far as it is looked at.

    Attributes:
        tree: Its definition, with the line numbers of its file.
        configuration: The name of its first argument.
        trial: The name of the argument that it reports to; "" for a generator.
    """

    tree: ast.FunctionDef
    configuration: str
    trial: str


def mistakes_in(
    function: Callable[..., Any],
    known: Collection[str],
    objectives: Sequence[str],
    data_kind: str | None,
) -> list[str]:
    """Return the mistakes in a function's source, each with file and line and the fix.

    Args:
        function: of either form.
        known: the names in a configuration: the space and the settings.
        objectives: the metrics that it must report.
        data_kind: the kind of the data that the task names; None if it names none.
    """
    function = inspect.unwrap(function)
    tree = _definition(function)
    if tree is None:
        return []
    names = [each.arg for each in (*tree.args.posonlyargs, *tree.args.args, *tree.args.kwonlyargs)]
    names = names[1:] if inspect.ismethod(function) else names  # it has its `self` already
    form = form_of(function)
    trial = "" if form == "generator" else trial_argument(names)
    seen = Seen(tree, names[0], trial)
    found = [*_calls(seen), *_settings(seen, known)]
    values: list[tuple[ast.AST, ast.expr | None]] = []
    if form == "trial":
        found += [*_uses_of_trial(seen), *_uses_of_data(seen, function, data_kind)]
        values = [(call, _metrics_of(call)) for call in _reports(seen)]
    else:
        found += _returned(seen, function)
        values = [(each, each.value) for each in _own(tree) if isinstance(each, ast.Yield)]
        found += _yields(values, takes_state(function))
    found += [text for _, value in values for text in _wrong_values(value)]
    is_seen = form == "generator" or not _is_passed_on(seen)
    found += _missing(seen, [value for _, value in values], objectives) if is_seen else []
    file = inspect.getsourcefile(function)
    in_order = sorted(dict.fromkeys(found))
    return [f"{file}:{line}: {text}" for line, text in in_order]


Mistake = tuple[int, str]


def _definition(function: Callable[..., Any]) -> ast.FunctionDef | None:
    try:
        lines, first = inspect.getsourcelines(function)
        (tree,) = ast.parse(textwrap.dedent("".join(lines))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return None  # a lambda, or a function made at run time
    if not isinstance(tree, ast.FunctionDef) or not (tree.args.posonlyargs or tree.args.args):
        return None
    ast.increment_lineno(tree, first - 1)
    return tree


def _own(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a function, but not of those defined in it."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            yield node
            yield from _own(node)


def _calls(seen: Seen) -> Iterator[Mistake]:
    for node in ast.walk(seen.tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        if name in ("parse_args", "parse_known_args") and not node.args and not node.keywords:
            text = "reads the command line of the worker; fix: read the configuration instead"
            yield node.lineno, f"{name}() {text}"
        elif called in _CALLS or name == "set_trace":  # `x.input()` is not Python's own
            yield node.lineno, f"{name}(): {_CALLS[name]}"


def _settings(seen: Seen, known: Collection[str]) -> Iterator[Mistake]:
    """Find names that no configuration has, but not where the function sees to that itself."""
    name = seen.configuration
    if _is_changed(seen.tree, name):
        return
    for node in _unguarded(seen.tree, name):
        if isinstance(node, ast.Attribute) and _is_name(node.value, name):
            if not hasattr(dict, node.attr):
                fix = f'{name}["{node.attr}"]'
                yield node.lineno, f"{name} is a dict, without .{node.attr}; fix: write {fix}"
            continue
        if not isinstance(node, ast.Subscript) or not _is_name(node.value, name):
            continue
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        if isinstance(key, str) and key not in known and not _asks_for(seen.tree, key):
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            fix = f"add it to space or task.settings, which have {', '.join(sorted(known))}"
            text = f"{name}[{key!r}]: the configuration has no {key!r}; {hint}fix: {fix}"
            yield node.lineno, text


def _is_changed(tree: ast.AST, name: str) -> bool:
    """Return whether a function gives a dict other entries, or its name another value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store):
            return True
        if isinstance(node, ast.Subscript | ast.Attribute) and _is_name(node.value, name):
            is_set = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)
            if is_set or (
                isinstance(node, ast.Attribute) and node.attr in ("setdefault", "update")
            ):
                return True
    return False


def _unguarded(tree: ast.AST, name: str) -> Iterator[ast.AST]:
    """Yield the nodes outside of `try`, and of functions with an argument of the same name."""
    for node in ast.iter_child_nodes(tree):
        is_shadowed = isinstance(node, ast.FunctionDef | ast.Lambda) and any(
            each.arg == name for each in ast.walk(node.args) if isinstance(each, ast.arg)
        )
        if not isinstance(node, ast.Try) and not is_shadowed:
            yield node
            yield from _unguarded(node, name)


def _asks_for(tree: ast.AST, key: str) -> bool:
    """Return whether a comparison names a key: `"momentum" in configuration`."""
    return any(
        isinstance(node, ast.Compare)
        and isinstance(node.left, ast.Constant)
        and node.left.value == key
        and isinstance(node.ops[0], ast.In | ast.NotIn)
        for node in ast.walk(tree)
    )


def _uses_of_trial(seen: Seen) -> Iterator[Mistake]:
    name, attributes = seen.trial, set()
    is_asked = any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id in ("hasattr", "getattr") and any(_is_name(a, name) for a in node.args)
        for node in ast.walk(seen.tree)
    )  # fmt: skip
    for node in ast.walk(seen.tree):
        if not isinstance(node, ast.Attribute) or not _is_name(node.value, name):
            continue
        attributes.add(node.attr)
        if node.attr not in OF_A_TRIAL and isinstance(node.ctx, ast.Load) and not is_asked:
            near = difflib.get_close_matches(node.attr, OF_A_TRIAL, n=1)
            fix = f"write {name}.{near[0]}" if near else f"it has {', '.join(OF_A_TRIAL)}"
            yield node.lineno, f"{name} has no {node.attr}; fix: {_ELSEWHERE.get(node.attr, fix)}"
    if "report" not in attributes and not _is_passed_on(seen):
        yield seen.tree.lineno, (f"{seen.tree.name} never calls {name}.report; fix: report the "
                                 "metrics of every epoch")  # fmt: skip
    for call in _reports(seen):
        others = [each.arg for each in call.keywords if each.arg not in ("metrics", "checkpoint")]
        if None in others:
            continue
        first = call.args[0] if call.args else None
        if _metrics_of(call) is None:
            given = ", ".join(f'"{each}": ...' for each in others) or '"accuracy": ...'
            yield call.lineno, f"{name}.report is given no metrics; fix: {name}.report({{{given}}})"
        elif others or len(call.args) > 2 or _is_number(call.args[1:]):
            yield call.lineno, (f"{name}.report takes metrics and a checkpoint; fix: leave the "
                                "step out: one report is one epoch")  # fmt: skip
        elif isinstance(first, ast.Constant):
            yield call.lineno, (f"{name}.report is given {first.value!r}; fix: a dict that names "
                                'it, such as {"accuracy": 0.9}')  # fmt: skip


def _uses_of_data(seen: Seen, function: Callable[..., Any], kind: str | None) -> Iterator[Mistake]:
    """Find what `trial.data` of this kind has not, but not where the function asks what it is."""
    name = f"{seen.trial}.data"
    uses = [
        (node, parent)
        for parent in ast.walk(seen.tree)
        for node in ast.iter_child_nodes(parent)
        if isinstance(node, ast.Attribute) and ast.unparse(node) == name
    ]
    if any(not isinstance(parent, ast.Attribute | ast.Call) for _, parent in uses):
        return
    for node, parent in uses:
        if kind is None:
            yield node.lineno, f"{name} is None: the task names no data; fix: add task.data"
        elif isinstance(parent, ast.Attribute):
            data = ImageSplits if kind == "images" else TextSplits
            has = [each.name for each in fields(data)]
            if parent.attr not in has and not hasattr(data, parent.attr):
                what = "images" if kind == "images" else f"texts ({kind})"
                text = f"{name} has no {parent.attr}: the task's data are {what}"
                fix = f"read one of {', '.join(has)}, or correct task.data.kind"
                yield node.lineno, f"{text}; fix: {fix}"
        elif kind != "images" and isinstance(parent, ast.Call):
            called = getattr(function, "__globals__", {}).get(ast.unparse(parent.func))
            if getattr(called, "__module__", "") == _EXAMPLES:
                text = f"{ast.unparse(parent.func)} is of images, and the task's data are texts"
                yield node.lineno, f"{text} ({kind}); fix: read {name}.train.texts"


def _returned(seen: Seen, function: Callable[..., Any]) -> Iterator[Mistake]:
    """Find a function that should be a generator and returns its metrics."""
    if inspect.isgeneratorfunction(function):
        return
    nodes = list(_own(seen.tree))
    plain = {target.id for node in nodes
             if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict | ast.Constant)
             for target in node.targets if isinstance(target, ast.Name)}  # fmt: skip
    for node in (each for each in nodes if isinstance(each, ast.Return)):
        value = node.value
        is_plain = value is None or isinstance(value, ast.Dict | ast.Constant)
        if not is_plain and not (isinstance(value, ast.Name) and value.id in plain):
            return
    yield seen.tree.lineno, (f"{seen.tree.name} takes epochs and seed and yields nothing; fix: "
                             "yield a dict of metrics after every epoch")  # fmt: skip


def _yields(values: list[tuple[ast.AST, ast.expr | None]], has_state: bool) -> Iterator[Mistake]:
    for node, value in values:
        line = getattr(node, "lineno", 0)
        is_pair = isinstance(value, ast.Tuple) and len(value.elts) == 2
        if is_pair and not has_state:
            yield line, ("yields a state and takes none to continue from; fix: add the argument "
                         "state=None")  # fmt: skip
        elif not is_pair and isinstance(value, ast.Constant | ast.List | ast.Tuple | None):
            yield line, 'yields no metrics; fix: yield a dict such as {"accuracy": 0.9}'


def _wrong_values(value: ast.expr | None) -> Iterator[Mistake]:
    for metrics in _dicts(value):
        for key, each in zip(metrics.keys, metrics.values, strict=True):
            if isinstance(each, ast.Constant) and isinstance(each.value, str | bool | None):
                name = key.value if isinstance(key, ast.Constant) else "?"
                yield each.lineno, f"metric {name!r} is {each.value!r}; fix: report a number"


def _missing(
    seen: Seen, values: Sequence[ast.expr | None], objectives: Sequence[str]
) -> Iterator[Mistake]:
    """Find an objective that none of the reports names, if all can be read."""
    names: set[str] = set()
    for value in values:
        found = _dicts(value)
        keys = [key.value if isinstance(key, ast.Constant) else None
                for each in found for key in each.keys]  # fmt: skip
        if not found or not all(isinstance(key, str) for key in keys):
            return
        names |= set(keys)  # type: ignore[arg-type]
    missing = [name for name in objectives if name not in names]
    if names and missing:
        text = f"{seen.tree.name} reports {', '.join(sorted(names))}, and the objective is "
        yield seen.tree.lineno, f"{text}{', '.join(missing)}; fix: make both the same"


def _reports(seen: Seen) -> list[ast.Call]:
    return [
        node for node in ast.walk(seen.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr == "report" and _is_name(node.func.value, seen.trial)
    ]  # fmt: skip


def _metrics_of(call: ast.Call) -> ast.expr | None:
    by_name = {each.arg: each.value for each in call.keywords}
    return call.args[0] if call.args else by_name.get("metrics")


def _dicts(value: ast.expr | None) -> list[ast.Dict]:
    """Return the metrics of a report if they are written out; of a pair its first part."""
    if isinstance(value, ast.Tuple) and len(value.elts) == 2:
        value = value.elts[0]
    return [value] if isinstance(value, ast.Dict) else []


def _is_passed_on(seen: Seen) -> bool:
    """Return whether the trial is used other than by an attribute, as by an argument of a call."""
    parents = {child: node for node in ast.walk(seen.tree) for child in ast.iter_child_nodes(node)}
    return any(
        _is_name(node, seen.trial) and not isinstance(parents[node], ast.Attribute)
        for node in ast.walk(seen.tree)
    )


def _is_number(values: Sequence[ast.expr]) -> bool:
    return any(isinstance(each, ast.Constant) and isinstance(each.value, int) for each in values)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
