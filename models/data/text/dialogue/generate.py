"""Write the embedded dialogue set and its tokenizer.

Run as `python -m models.data.text.dialogue.generate`.

Topics are shops, prices, shelves, travel, units and simple facts. Questions and
answers are made from tables, so that validation and test have new combinations of what is in
training; no question is in two splits.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path

from models.data.text.dialogue import FOLDER, TOKENIZER

SIZES = {"train": 300, "validation": 60, "test": 60}
VOCABULARY = 600  # 256 bytes, the end of text, and merges
END = "<|end|>"

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHOPS = {  # opening and closing hour, day of rest
    "bakery": (7, 18, "Sunday"),
    "bookshop": (9, 19, "Monday"),
    "library": (10, 20, "Sunday"),
    "pharmacy": (8, 22, "Tuesday"),
    "museum": (11, 17, "Wednesday"),
    "swimming pool": (6, 21, "Thursday"),
}
_PRICES = {  # in the shop that sells it; price of one, in euros
    "notebook": ("bookshop", 3),
    "map": ("bookshop", 6),
    "loaf of bread": ("bakery", 4),
    "ginger cake": ("bakery", 9),
    "toothbrush": ("pharmacy", 2),
    "postcard": ("museum", 1),
    "day ticket": ("swimming pool", 5),
}
_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 10: "ten"}
_SHELVES = ("travel", "poetry", "history", "cookery", "music", "science")
_STOPS = {"harbour": 0, "old town": 8, "station": 15, "hospital": 21, "airport": 34}  # minutes
_VEHICLES = {"bus": 1, "tram": 2}  # the bus takes the stated minutes, the tram twice as long
_UNITS = {  # how many of the second make one of the first
    "minutes": ("hour", 60),
    "hours": ("day", 24),
    "days": ("week", 7),
    "months": ("year", 12),
    "grams": ("kilogram", 1000),
    "metres": ("kilometre", 1000),
    "centimetres": ("metre", 100),
}
_OPPOSITES = ("hot cold", "early late", "open closed", "heavy light", "cheap dear", "near far",
              "loud quiet", "wet dry")  # fmt: skip
_COLOURS = ("snow white", "grass green", "coal black", "a lemon yellow", "a ripe tomato red",
            "a clear sky blue")  # fmt: skip
_BABIES = ("cow calf", "dog puppy", "cat kitten", "sheep lamb", "horse foal", "hen chick")
_GREETINGS = ("Hello", "Good morning", "Excuse me", "Hi")


def _hours() -> Iterator[tuple[str, str]]:
    for (shop, (opens, closes, rest)), day in itertools.product(_SHOPS.items(), _DAYS):
        answers = {
            f"When does the {shop} open on {day}?": f"It opens at {opens} o'clock.",
            f"When does the {shop} close on {day}?": f"It closes at {closes} o'clock.",
            f"Is the {shop} open on {day}?": f"Yes, from {opens} to {closes} o'clock.",
        }
        for question, answer in answers.items():
            yield question, f"The {shop} is closed on {day}." if day == rest else answer


def _prices() -> Iterator[tuple[str, str]]:
    for thing, (shop, price) in _PRICES.items():
        yield f"Where can I buy a {thing}?", f"At the {shop}."
        yield f"How much is a {thing}?", f"A {thing} costs {_euros(price)}."
        for number, word in _NUMBERS.items():
            things = "loaves of bread" if thing == "loaf of bread" else f"{thing}s"
            yield f"How much are {word} {things}?", f"They cost {_euros(number * price)}."
            yield f"What do I pay for {word} {things}?", f"You pay {_euros(number * price)}."


def _euros(amount: int) -> str:
    return "1 euro" if amount == 1 else f"{amount} euros"


def _shelves() -> Iterator[tuple[str, str]]:
    for (number, topic), place in itertools.product(
        enumerate(_SHELVES, 1), ("library", "bookshop")
    ):
        side = "left" if place == "library" else "right"
        yield f"Where are the {topic} books in the {place}?", f"Shelf {number}, on the {side}."
        yield f"Which shelf of the {place} has {topic} books?", f"Shelf {number}, on the {side}."


def _travel() -> Iterator[tuple[str, str]]:
    for (start, left), (end, arrived) in itertools.permutations(_STOPS.items(), 2):
        for vehicle, factor in _VEHICLES.items():
            minutes = abs(arrived - left) * factor
            journey = f"from the {start} to the {end}"
            yield (
                f"How long does the {vehicle} take {journey}?",
                f"The {vehicle} takes {minutes} minutes.",
            )
        faster = f"Take the bus, it needs {abs(arrived - left)} minutes."
        yield f"What is the fastest way from the {start} to the {end}?", faster


def _units() -> Iterator[tuple[str, str]]:
    for small, (large, factor) in _UNITS.items():
        article = "an" if large == "hour" else "a"
        yield f"How many {small} are in {article} {large}?", f"There are {factor} {small}."
        for number, word in _NUMBERS.items():
            yield f"How many {small} are {word} {large}s?", f"{number * factor} {small}."


def _facts() -> Iterator[tuple[str, str]]:
    for one, other in map(str.split, _OPPOSITES):
        for word, opposite in ((one, other), (other, one)):
            yield f"What is the opposite of {word}?", f"The opposite of {word} is {opposite}."
    for thing, colour in (text.rsplit(" ", 1) for text in _COLOURS):
        yield f"What colour is {thing}?", f"{thing[0].upper()}{thing[1:]} is {colour}."
    for animal, young in map(str.split, _BABIES):
        yield f"What is a young {animal} called?", f"A young {animal} is a {young}."
        yield f"What does a {young} grow into?", f"A {young} grows into a {animal}."
    for before, day in itertools.pairwise((*_DAYS, _DAYS[0])):
        yield f"Which day comes after {before}?", f"{day} comes after {before}."
        yield f"Which day comes before {day}?", f"{before} comes before {day}."


def write_pairs(seed: int = 20) -> dict[str, list[dict[str, str]]]:
    """Return rows of prompt and answer by split, determined by `seed`; prompts are unique."""
    generator = random.Random(seed)
    topics = [list(topic()) for topic in (_hours, _prices, _shelves, _travel, _units, _facts)]
    for topic in topics:
        generator.shuffle(topic)
    rows: dict[str, list[dict[str, str]]] = {}
    for split, size in SIZES.items():
        total = sum(map(len, topics))
        shares = [round(size * len(topic) / total) for topic in topics]
        shares[0] += size - sum(shares)
        shared = zip(topics, shares, strict=True)
        taken = [topic.pop() for topic, share in shared for _ in range(share)]
        generator.shuffle(taken)
        rows[split] = [
            {"prompt": _address(prompt, generator), "answer": answer} for prompt, answer in taken
        ]
    return rows


def _address(question: str, generator: random.Random) -> str:
    """Return `question`, one in three after a greeting."""
    if generator.random() > 1 / 3:
        return question
    return f"{generator.choice(_GREETINGS)}, {question[0].lower()}{question[1:]}"


def write_tokenizer(rows: list[dict[str, str]], folder: Path) -> None:
    """Train a byte-level BPE on `rows` and save it to `folder` as a fast tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((f"{row['prompt']}\n{row['answer']}" for row in rows), trainer)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, unk_token=END
    ).save_pretrained(folder)


def main() -> None:
    """Write both to this folder."""
    rows = write_pairs()
    for split, pairs in rows.items():
        lines = "".join(json.dumps(pair) + "\n" for pair in pairs)
        (FOLDER / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    write_tokenizer(rows["train"], TOKENIZER)


if __name__ == "__main__":
    main()
