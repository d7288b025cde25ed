"""Explanations of a model of texts: right, wrong and attacked examples, word by word.

Integrated gradients run over the token embeddings, from those of padding; special tokens keep
theirs. A word's value is the sum over its tokens. What is explained is

- classification: the logit of the predicted class;
- ranking: the relevance by which an item is ranked;
- entities: the logit of the tag predicted for one word: the first wrong one, else the first entity;
- dialogue: the mean log-probability of the answer's tokens, by the words of the prompt alone.

Not for pages (`text_page.py`) nor for images (`images.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models.adversarial.checks.preserve_state import preserve_state
from models.adversarial.embeddings.perturbed_logits import perturbed, token_embedding
from models.adversarial.text.attack import AttackedText, attack_texts
from models.adversarial.text.word_substitution import load_synonyms
from models.adversarial.threat_model import TextThreat
from models.data.text.splits import TextExamples
from models.explanations.images import GROUPS, Group
from models.explanations.integrated_gradients import Attribution, integrated_gradients
from models.kinds import KINDS
from models.training.text.collate import collate
from models.training.text.encoding import IGNORED, Encoded, Encoder
from models.training.text.predict import relevance
from models.training.text.victim import TextVictim

# Texts that are attacked to find examples: enough for each group, and a minute at most.
CANDIDATES = 64


@dataclass(frozen=True, eq=False)
class Reading:
    """A text as the model reads it.

    Attributes:
        words: Each word with its value; above 0 it raised what is explained.
        explained: What is explained, such as "class angry".
        attribution: Of the tokens, (tokens, width).
    """

    words: tuple[tuple[str, float], ...]
    explained: str
    attribution: Attribution


@dataclass(frozen=True, eq=False)
class ExplainedText:
    """An explained example; `attacked` is its adversarial text, only in the group "attacked"."""

    group: Group
    example: int
    truth: str
    clean: Reading
    attacked: Reading | None = None

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The text, and its adversarial text if there is one."""
        return (self.clean,) if self.attacked is None else (self.clean, self.attacked)


@dataclass(frozen=True, eq=False)
class _Target:
    """What of the logits (n, tokens or classes, ...) is explained, and for which tokens.

    `read` returns (n,) scores. The tokens before `end` are explained.
    """

    name: str
    read: Callable[[Tensor], Tensor]
    end: int


def explain_texts(
    model: nn.Module, encoder: Encoder, data: TextExamples, threat: TextThreat, *, count: int
) -> list[ExplainedText]:
    """Explain the first `count` examples of each group, in the fixed order of a threat's seed.

    Right: correct, also under the threat's attack where there are such. Wrong: not correct.
    Attacked: worse under attack.

    Args:
        model: takes a batch's tensors, returns logits or an object with `.logits`.
        encoder: with the model's tokenizer.
        data: the examples of a split.
        threat: how texts are attacked.
        count: the most examples of a group; a group may have fewer.

    Raises:
        ModuleNotFoundError: captum is not installed.
    """
    few = replace(
        threat, examples=min(threat.examples, CANDIDATES),
        cheap_examples=min(threat.cheap_examples, CANDIDATES),
    )  # fmt: skip
    synonyms = load_synonyms(threat.synonyms) if threat.synonyms else None
    names = encoder.label_names
    with preserve_state(model):
        victim = TextVictim(model, encoder, data)
        attacked = attack_texts(victim, data, names, few, encoder.kind, synonyms).texts
        explained = []
        for group in GROUPS:
            for each in _of_group(attacked, group)[:count]:
                label = data.labels[each.example]
                clean = _reading(model, encoder, each.text, label)
                after = None
                if group == "attacked":
                    after = _reading(model, encoder, each.adversarial, label)
                truth = names[label] if KINDS[encoder.kind].has_text_class else ""
                explained.append(ExplainedText(group, each.example, truth, clean, after))
        return explained


def _of_group(attacked: Sequence[AttackedText], group: Group) -> list[AttackedText]:
    if group == "attacked":
        return [each for each in attacked if each.is_worse]
    members = [each for each in attacked if each.clean.is_correct == (group == "right")]
    return [each for each in members if not each.is_worse] or members


def _reading(model: nn.Module, encoder: Encoder, text: tuple[str, ...], label: object) -> Reading:
    """Return how the model reads one text."""
    rows = encoder.encode([text], None if KINDS[encoder.kind].has_text_class else [label])
    device = next(model.parameters()).device
    row, batch, target = _explained_row(model, encoder, rows, text, device)
    table = token_embedding(model)
    ids = batch["input_ids"]
    with torch.no_grad():
        embedded = table(ids)
        padding = table(torch.full_like(ids, int(encoder.tokenizer.pad_token_id)))
    special = set(encoder.tokenizer.all_special_ids)
    moved = [at < target.end and token not in special for at, token in enumerate(row.input_ids)]
    is_moved = torch.tensor(moved, device=device)[None, :, None]

    def score(embeddings: Tensor) -> Tensor:
        inputs = {name: tensor.expand(len(embeddings), -1) for name, tensor in batch.items()}
        return target.read(perturbed(model, inputs, exactly=True)(embeddings - embedded).float())

    found = integrated_gradients(score, embedded, torch.where(is_moved, padding, embedded))
    values = found.values.sum(dim=-1).tolist()
    words = tuple(_words(encoder, row.input_ids, values, moved))
    return Reading(words, target.name, found)


def _explained_row(
    model: nn.Module, encoder: Encoder, rows: Sequence[Encoded], text: tuple[str, ...],
    device: torch.device,
) -> tuple[Encoded, dict[str, Tensor], _Target]:  # fmt: skip
    """Return the row of a text that is explained, its inputs, and what is explained of it."""
    found = []
    for row in rows:
        batch = {k: v.to(device) for k, v in collate([row], encoder.tokenizer).items()}
        batch.pop("labels", None)
        with torch.no_grad():
            logits = perturbed(model, batch, exactly=True)(None)[0].float()
        if encoder.kind != "entities":
            return row, batch, _target_of(encoder, row, logits)
        found.append((row, batch, logits))
    row, batch, logits, at = _word_to_explain(encoder, found)
    tag = int(logits[at].argmax())
    word = row.words[at]
    assert word is not None, "a word is predicted there"
    name = f"tag {encoder.label_names[tag]} of {text[word]!r}"
    return row, batch, _Target(name, lambda out: out[:, at, tag], len(row.input_ids))


def _target_of(encoder: Encoder, row: Encoded, logits: Tensor) -> _Target:
    """Return what is explained of a text's class or grade, or of the answer in a dialogue."""
    if encoder.kind == "ranking":
        names, end = encoder.label_names, len(row.input_ids)
        return _Target("the relevance", lambda out: relevance(out, names).float(), end)
    if encoder.kind == "classification":
        predicted = int(logits.argmax())
        name = f"class {encoder.label_names[predicted]}"
        return _Target(name, lambda out: out[:, predicted], len(row.input_ids))
    assert isinstance(row.labels, tuple), "a dialogue has a label for each token"
    answer = [at for at, label in enumerate(row.labels) if label != IGNORED]
    truth = torch.tensor([row.labels[at] for at in answer], device=logits.device)

    def read(out: Tensor) -> Tensor:
        ahead = torch.log_softmax(out[:, [at - 1 for at in answer]], dim=-1)
        return ahead.gather(-1, truth.expand(len(out), -1)[..., None])[..., 0].mean(dim=1)

    return _Target("the answer's mean log-probability", read, answer[0])


def _word_to_explain(
    encoder: Encoder, found: Sequence[tuple[Encoded, dict[str, Tensor], Tensor]]
) -> tuple[Encoded, dict[str, Tensor], Tensor, int]:
    """Return the row and place of the first wrong word, else of the first entity, else word."""
    places = [
        (int(logits[at].argmax()) == label, encoder.label_names[label] == "O", number, at)
        for number, (row, _, logits) in enumerate(found)
        if isinstance(row.labels, tuple)
        for at, label in enumerate(row.labels)
        if label != IGNORED
    ]
    _, _, number, at = min(places)
    row, batch, logits = found[number]
    return row, batch, logits, at


def _words(
    encoder: Encoder, ids: Sequence[int], values: Sequence[float], shown: Sequence[bool]
) -> Iterator[tuple[str, float]]:
    """Yield words with the sums of their tokens' values.

    Word pieces are joined by the marks of the common tokenizers: "##" continues a word; where a
    token has "Ġ" or "▁", tokens without one continue it. Other tokenizers give tokens.
    """
    tokenizer = encoder.tokenizer
    raw = tokenizer.convert_ids_to_tokens(list(ids))
    has_marks = any(token.startswith(("Ġ", "▁")) for token in raw)
    groups: list[list[int]] = []
    for at, token in enumerate(raw):
        begins = token.startswith(("Ġ", "▁")) if has_marks else not token.startswith("##")
        is_open = bool(groups) and groups[-1][-1] == at - 1
        if not shown[at]:
            continue
        if begins or not is_open:
            groups.append([at])
        else:
            groups[-1].append(at)
    for group in groups:
        text = tokenizer.decode([ids[at] for at in group]).strip().replace(" ##", "")
        text = text or raw[group[0]]
        yield text, sum(values[at] for at in group)
