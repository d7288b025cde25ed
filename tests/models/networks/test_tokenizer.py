import json
from pathlib import Path

import pytest
from tokenizers import Regex, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from models.networks.tokenizer import load_tokenizer, split_word_tokenizer
from tests.support.text_folders import CORPUS
from tests.support.tiny_models import byte_pairs, save_tokenizer, wordpiece

Tokenizers = dict[str, PreTrainedTokenizerBase]


def split(tokenizer: PreTrainedTokenizerBase, *words: str) -> list[str]:
    return list(tokenizer(list(words), is_split_into_words=True).tokens())


def test_a_decoder_pads_on_the_right_with_its_end_of_text(tokenizers: Tokenizers) -> None:
    tokenizer = tokenizers["bytes"]
    assert tokenizer.pad_token == tokenizer.eos_token == "<|endoftext|>"
    assert tokenizer.padding_side == "right"
    assert tokenizers["cased"].pad_token == "[PAD]"


def test_words_given_singly_are_read_as_in_a_sentence(tokenizers: Tokenizers) -> None:
    plain = tokenizers["bytes"]
    spaced = split_word_tokenizer(plain)
    # The space before "the" is in the first token of the text as well.
    assert split(spaced, "the", "shop", "of") == plain(" the shop of").tokens()
    assert split(plain, "the", "shop", "of") != plain(" the shop of").tokens()


def test_the_tokenizer_itself_is_left_as_it_was(tokenizers: Tokenizers) -> None:
    plain = tokenizers["bytes"]
    before = plain.backend_tokenizer.to_str()
    split_word_tokenizer(plain)
    assert plain.backend_tokenizer.to_str() == before
    assert split_word_tokenizer(tokenizers["cased"]) is tokenizers["cased"]


def test_byte_level_after_another_step_gets_one_space_a_word(tmp_path: Path) -> None:
    tokenizer = byte_pairs(CORPUS)
    # As Llama 3 and Qwen: a pattern cuts (here "open's" into two), ByteLevel only spells bytes.
    pattern = pre_tokenizers.Split(Regex(r" ?[a-zA-Z]+|'s"), "isolated")
    spell = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pattern, spell])
    folder = save_tokenizer(tmp_path, tokenizer, eos_token="<|endoftext|>")
    loaded = load_tokenizer(folder, "entities")
    assert split(loaded, "the", "open's") == load_tokenizer(folder)(" the open's").tokens()


@pytest.mark.parametrize("kind", ["TokenizersBackend", "GPT2Tokenizer"])
def test_a_saved_copy_keeps_the_space(tokenizers: Tokenizers, tmp_path: Path, kind: str) -> None:
    # One takes its steps from tokenizer.json, the other builds them from its options.
    tokenizers["bytes"].save_pretrained(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": kind}))
    spaced = load_tokenizer(tmp_path, "entities")
    spaced.save_pretrained(tmp_path / "saved")
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert type(again).__name__ == kind
    assert split(again, "the", "shop") == split(spaced, "the", "shop")
    assert split(again, "the", "shop") == tokenizers["bytes"](" the shop").tokens()


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    # transformers makes an empty tokenizer of this: every word would be unknown.
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match=r"no tokenizer \(\['config.json'\]\); fix: save it"):
        load_tokenizer(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        load_tokenizer(tmp_path / "nowhere")


def test_a_damaged_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": 1}')
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_that_cannot_pad_is_refused(tmp_path: Path) -> None:
    folder = save_tokenizer(tmp_path, wordpiece(CORPUS), unk_token="[UNK]")
    with pytest.raises(ValueError, match="neither pad_token nor eos_token"):
        load_tokenizer(folder)


def test_a_tokenizer_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise SystemExit('this ran')")
    (tmp_path / "vocab.txt").write_text("a\n")
    config = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="cannot be loaded"):
        load_tokenizer(tmp_path)
