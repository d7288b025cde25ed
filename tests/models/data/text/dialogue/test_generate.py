import json
from collections import Counter

from models.catalog import describe_data
from models.data.loading import load_data
from models.data.text.dialogue import FOLDER, TOKENIZER
from models.data.text.dialogue.generate import write_pairs
from models.networks.tokenizer import load_tokenizer
from models.training.text.encoding import Encoder


def test_the_committed_texts_are_those_that_the_script_writes() -> None:
    for split, rows in write_pairs().items():
        lines = (FOLDER / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line) for line in lines] == rows


def test_no_question_is_in_two_splits_or_twice() -> None:
    description = describe_data({"name": "dialogue"}, "dialogue")
    assert (description.train, description.validation, description.test) == (300, 60, 60)
    assert (description.repeated, description.leaked) == (0, 0)
    assert description.classes is None and description.licence == "CC0-1.0"


def test_a_greeting_hides_no_question_of_another_split() -> None:
    def question(prompt: str) -> str:
        greeting, comma, rest = prompt.partition(", ")
        return rest if comma and greeting[0].isupper() and rest[0].islower() else prompt

    rows = [row["prompt"] for split in write_pairs().values() for row in split]
    asked = Counter(question(prompt).lower() for prompt in rows)
    assert max(asked.values()) == 1 and len(asked) == 420


def test_the_tokenizer_gives_back_every_text_and_fits_its_answers() -> None:
    tokenizer = load_tokenizer(TOKENIZER)
    data = load_data({"name": "dialogue"}, "dialogue")
    encoder = Encoder(tokenizer, "dialogue", (), 64)
    for split in (data.train, data.validation, data.test):
        rows = encoder.encode(split.texts, split.labels)
        for (prompt, answer), row in zip(split.texts, rows, strict=True):
            assert tokenizer.decode(row.input_ids) == f"{prompt}\n{answer}<|end|>"
            told = [label for label in row.labels if label != -100]
            assert tokenizer.decode(told) == f"{answer}<|end|>"
    assert len(tokenizer) <= 600


def test_all_of_it_is_small() -> None:
    sizes = [path.stat().st_size for path in FOLDER.rglob("*.json*")]
    assert len(sizes) == 5 and sum(sizes) < 150_000
