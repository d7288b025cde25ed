"""Counts the statements of a folder's Python files, now and at an earlier commit.

Lines depend on how they are wrapped and commented; statements do not.

Cost: seconds. It prints a table and writes no result.

    python -m benchmarks.internal.statements 508737f search tests
"""

from __future__ import annotations

import ast
import subprocess

from benchmarks.harness.command_line import parser
from benchmarks.harness.provenance import ROOT


def statements(text: str) -> int:
    """Return the number of statements of a module; a docstring is none."""
    found = 0
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        found += isinstance(node, ast.stmt) and not is_text
    return found


def now(folder: str) -> int:
    """Return the statements below a folder of the working tree."""
    return sum(statements(file.read_text()) for file in sorted((ROOT / folder).rglob("*.py")))


def at(commit: str, folder: str) -> int:
    """Return the statements below a folder at a commit."""
    listed = _git("ls-tree", "-r", "--name-only", commit, "--", folder).splitlines()
    return sum(
        statements(_git("show", f"{commit}:{name}")) for name in listed if name.endswith("py")
    )


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def main() -> None:
    """Print a line a folder: both counts and their ratio."""
    options = parser("internal.statements", __doc__)
    options.add_argument("commit")
    options.add_argument("folders", nargs="*", default=["search", "models", "tests"])
    given = options.parse_args()
    print(f"{'':10} {given.commit[:9]:>9} {'now':>9} {'ratio':>6}")
    for folder in given.folders:
        before, after = at(given.commit, folder), now(folder)
        print(f"{folder:10} {before:9,} {after:9,} {after / before:6.3f}")


if __name__ == "__main__":
    main()
