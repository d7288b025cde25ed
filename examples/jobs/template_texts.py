"""Writes three small data sets, made of templates and drawn from a seed: no real texts.

    python template_texts.py [SEED]

`financial.csv` has sentences about results with a sentiment, of which 12 % are negative and 60 %
neutral; `support.jsonl` has dialogues of two or three turns with a support desk; `entities.conll`
has sentences with persons, companies and cities. No sentence, and no first message of a dialogue,
is drawn twice, so none is in two splits; but the few templates are in all of them. That leaves
little to learn, so scores are high; what they show is the form of the files, and what a search does
with them.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

COMPANIES = ("Norden Bank", "Aker Steel", "Veltra", "Kolmar Foods", "Ostra Energy", "Lindal Group")
PEOPLE = ("Anna Berg", "Paul Moreau", "Ines Duarte", "Jonas Falk", "Maria Rossi", "Tom Okafor")
CITIES = ("Oslo", "Turin", "Lisbon", "Ghent", "Krakow", "Malmo")
MONTHS = ("March", "June", "September", "December")
SENTIMENTS = {
    "neutral": (
        0.60,
        "{company} will publish its report for {month} on Monday",
        "the shares of {company} are listed in {city}",
        "{company} has {number} employees in {city}",
        "{company} named {person} as head of its office in {city}",
    ),
    "positive": (
        0.28,
        "{company} said that profit rose by {number} % in {month}",
        "orders at {company} grew more than expected, by {number} %",
        "{company} raised its forecast after a strong {month}",
    ),
    "negative": (
        0.12,
        "{company} said that profit fell by {number} % in {month}",
        "{company} cut its forecast after a weak {month}",
        "{company} will close its plant in {city} and cut {number} jobs",
    ),
}
# What the user says, what the desk asks, and what it answers in the end.
PROBLEMS = (
    ("my parcel has not arrived", "what is the number of your order ?", "it arrives tomorrow ."),
    ("I was charged twice", "on which day was that ?", "the second charge is returned ."),
    ("I cannot log in", "do you see a message ?", "please use the link that we sent ."),
    ("the lamp is broken", "do you have a picture of it ?", "a new one is on its way ."),
    ("I want to return the shoes", "have you worn them ?", "here is a label for the parcel ."),
)
GREETINGS = ("hello ,", "good morning ,", "hi ,", "please help :", "excuse me ,")
SENTENCES = (
    "{person} of {company} spoke in {city} on Monday",
    "{company} opened an office in {city}",
    "investors in {city} met {person}",
    "{person} leaves {company} in {month}",
    "shares rose in {month} after a report",
)


def draw_new(
    templates: Sequence[str], generator: np.random.Generator, drawn: set[str]
) -> tuple[str, dict[str, str]]:
    """Draws a template and a value for each name, until their text is not in `drawn`; adds it."""
    lists = {"company": COMPANIES, "person": PEOPLE, "city": CITIES, "month": MONTHS}
    while True:
        template = str(generator.choice(templates))
        values = {name: str(generator.choice(each)) for name, each in lists.items()}
        values["number"] = str(generator.integers(2, 60))
        text = template.format(**values)
        if text not in drawn:
            drawn.add(text)
            return template, values


def write_financial(generator: np.random.Generator, rows: int = 400) -> None:
    """Writes `financial.csv`, with the columns sentence and sentiment."""
    drawn: set[str] = set()
    with Path("financial.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("sentence", "sentiment"))
        for label in generator.choice(
            list(SENTIMENTS), rows, p=[share for share, *_ in SENTIMENTS.values()]
        ):
            template, values = draw_new(SENTIMENTS[str(label)][1:], generator, drawn)
            writer.writerow((template.format(**values), label))


def write_support(generator: np.random.Generator, rows: int = 150) -> None:
    """Writes `support.jsonl`, a dialogue a line."""
    drawn: set[str] = set()
    with Path("support.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(rows):
            problem, question, answer = PROBLEMS[generator.integers(len(PROBLEMS))]
            told = f"{{person}} from {{city}} here , {problem} ."
            template, values = draw_new([f"{each} {told}" for each in GREETINGS], generator, drawn)
            turns = [
                ("system", "you are a support desk ."),
                ("user", template.format(**values)),
                ("assistant", question),
                ("user", str(generator.choice(("yes", "one moment", "here it is", "on Monday")))),
                ("assistant", answer),
            ]
            if generator.random() < 0.5:
                turns += [("user", "thank you !"), ("assistant", "you are welcome .")]
            messages = [{"role": role, "content": content} for role, content in turns]
            file.write(json.dumps({"messages": messages}) + "\n")


def write_entities(generator: np.random.Generator, rows: int = 300) -> None:
    """Writes `entities.conll`, a word and its tag a line."""
    drawn: set[str] = set()
    with Path("entities.conll").open("w", encoding="utf-8") as file:
        for _ in range(rows):
            template, values = draw_new(SENTENCES, generator, drawn)
            for place in template.split():
                name = place.strip("{}")
                is_entity = place.startswith("{") and name != "month"
                words = values[name].split() if place.startswith("{") else [place]
                for number, word in enumerate(words):
                    tag = f"{'I' if number else 'B'}-{name}" if is_entity else "O"
                    file.write(f"{word}\t{tag}\n")
            file.write("\n")


def write(seed: int = 0) -> None:
    """Writes all three into the working folder."""
    for number, one in enumerate((write_financial, write_support, write_entities)):
        one(np.random.default_rng([seed, number]))


if __name__ == "__main__":
    write(*map(int, sys.argv[1:]))
