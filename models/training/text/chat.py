"""A dialogue's prompt and answer as a model reads them.

A prompt of one text is followed by a line break. A conversation of several turns is written by the
chat template of the tokenizer, which a base's folder brings (Jinja in the sandbox of transformers);
without one, a turn is a line with its role and lines with its content:

    system:
    Answer briefly.
    user:
    Who?
    assistant:
    Me.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

_DEFAULT = (
    "{% for turn in messages %}{{ turn.role }}:\n{{ turn.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)


class Exchange(NamedTuple):
    """A prompt and its answer, to be tokenized one by one.

    `is_closed`: the answer ends with the template's mark, so that it needs no end of text (blanks
    after the mark are left out: generation stops at it).
    `is_framed`: the prompt begins with the template's special tokens, so that it needs no others.
    """

    prompt: str
    answer: str
    is_closed: bool = False
    is_framed: bool = False


def write_exchange(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], roles: Sequence[str] | None
) -> Exchange:
    """Write a prompt and an answer (no `roles`), or a conversation that ends with the answer.

    Raises:
        ValueError: the tokenizer's chat template refuses the conversation.
    """
    if roles is None:
        prompt, answer = texts
        # The line break belongs to the prompt, so the answer starts with its own first token.
        return Exchange(f"{prompt}\n", answer)
    turns = [{"role": role, "content": content} for role, content in zip(roles, texts, strict=True)]
    is_framed = tokenizer.chat_template is not None
    template = None if is_framed else _DEFAULT
    try:
        prompt, whole = (
            str(
                tokenizer.apply_chat_template(
                    some, chat_template=template, tokenize=False, add_generation_prompt=is_asked
                )
            )
            for some, is_asked in ((turns[:-1], True), (turns, False))
        )
    except (TemplateError, ValueError) as error:
        raise ValueError(
            f"the tokenizer's chat template refuses the roles {', '.join(roles)} ({error}); "
            "fix: use data without them, or a base with another template"
        ) from error
    answer = turns[-1]["content"]
    # A template for models that think may add more to a prompt than it writes in a conversation.
    rest = whole.removeprefix(prompt).rstrip() if whole.startswith(prompt) else answer
    is_closed = not rest.endswith(answer.rstrip())
    return Exchange(prompt, rest if is_closed else answer, is_closed, is_framed)
