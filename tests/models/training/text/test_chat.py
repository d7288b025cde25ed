import copy
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from models.adversarial.text.editable_words import editable
from models.networks.tokenizer import load_tokenizer
from models.training.text.chat import Exchange, write_exchange
from models.training.text.encoding import Encoder
from tests.support.tiny_texts import TOKENIZER

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEXTS = ("Be brief.", "Who?", "Me.", "When?", "Now.")
ROLES = ("system", "user", "assistant", "user", "assistant")


@pytest.fixture(scope="module")
def plain() -> PreTrainedTokenizerBase:
    return load_tokenizer(TOKENIZER)


def with_template(tokenizer: PreTrainedTokenizerBase, template: str) -> PreTrainedTokenizerBase:
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = template
    return changed


def test_a_prompt_without_roles_is_followed_by_a_line_break(
    plain: PreTrainedTokenizerBase,
) -> None:
    chatty = with_template(plain, CHATML)
    for tokenizer in (plain, chatty):
        assert write_exchange(tokenizer, ("Who?", "Me."), None) == Exchange("Who?\n", "Me.")


def test_turns_without_a_template_are_lines_of_role_and_content(
    plain: PreTrainedTokenizerBase,
) -> None:
    assert plain.chat_template is None
    found = write_exchange(plain, TEXTS, ROLES)
    asked = "system:\nBe brief.\nuser:\nWho?\nassistant:\nMe.\nuser:\nWhen?\nassistant:\n"
    assert found == Exchange(asked, "Now.", is_closed=False, is_framed=False)


def test_a_template_writes_the_prompt_and_closes_the_answer(
    plain: PreTrainedTokenizerBase,
) -> None:
    found = write_exchange(with_template(plain, CHATML), TEXTS[1:3], ROLES[1:3])
    asked = "<|im_start|>user\nWho?<|im_end|>\n<|im_start|>assistant\n"
    assert found == Exchange(asked, "Me.<|im_end|>", is_closed=True, is_framed=True)


def test_a_template_that_opens_a_thought_is_answered_plainly(
    plain: PreTrainedTokenizerBase,
) -> None:
    thinking = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
    found = write_exchange(with_template(plain, thinking), TEXTS[1:3], ROLES[1:3])
    assert found.prompt.endswith("<think>\n")
    assert (found.answer, found.is_closed) == ("Me.", False)


def test_a_template_that_refuses_a_role_is_named_with_a_fix(
    plain: PreTrainedTokenizerBase,
) -> None:
    refusing = "{{ raise_exception('no system role') }}"
    with pytest.raises(ValueError, match=r"roles system, user.*no system role.*fix: use data"):
        write_exchange(with_template(plain, refusing), TEXTS[:3], ROLES[:3])


def decoded(tokenizer: PreTrainedTokenizerBase, length: int = 256) -> tuple[str, str]:
    """What a conversation's row holds, and what of it has labels."""
    (row,) = Encoder(tokenizer, "dialogue", (), length).encode([TEXTS], [ROLES])
    assert isinstance(row.labels, tuple)
    told = [label for label in row.labels if label != -100]
    return tokenizer.decode(row.input_ids), tokenizer.decode(told)


def test_only_the_last_answer_of_a_conversation_has_labels(
    plain: PreTrainedTokenizerBase,
) -> None:
    whole, told = decoded(plain)
    assert told == f"Now.{plain.eos_token}" and whole.endswith(f"assistant:\n{told}")
    whole, told = decoded(with_template(plain, CHATML))
    assert told == "Now.<|im_end|>" and whole.startswith("<|im_start|>system\nBe brief.")


def test_a_long_conversation_is_cut_at_its_beginning(plain: PreTrainedTokenizerBase) -> None:
    whole, told = decoded(plain, 16)
    assert told == f"Now.{plain.eos_token}" and "system" not in whole


def test_an_attack_edits_the_last_turn_of_the_user() -> None:
    view = editable(("Stay calm.", "Hello there", "Hello.", "Where is Oslo?", "North."), "dialogue")
    assert [view.word(index) for index in range(len(view.places))] == ["Where", "is", "Oslo"]
    assert view.count == 3
    changed = view.replaced({0: "Wheer"})
    assert changed == ("Stay calm.", "Hello there", "Hello.", "Wheer is Oslo?", "North.")


def test_the_template_comes_with_the_folder_of_a_base(
    tmp_path: Path, plain: PreTrainedTokenizerBase
) -> None:
    with_template(plain, CHATML).save_pretrained(tmp_path)
    assert decoded(load_tokenizer(tmp_path))[1] == "Now.<|im_end|>"
