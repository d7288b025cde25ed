"""Writes a log of recommendations to rank, drawn from a seed: `recommendations.csv`.

    python recommendations_log.py [USERS] [SEED]

How it is drawn. 27 items have titles of one of three genres, whose words tell the genre, and a
popularity that falls with rank as 1 / rank ** 0.8 (a Zipf law). A user has latent tastes, shares of
the three genres from a Dirichlet distribution with 0.2 each: most like one. Three items that the
user took before are the history, drawn by popularity times taste. Then ten others are shown,
drawn by popularity alone, and each is taken with the probability

    1 / (1 + exp(3.5 - 7 * taste of its genre - 0.5 * log(popularity / median popularity)))

A row is one shown item: `user` (the group), `history` (titles, newest last), `item` (the title) and
`taken` (1 or 0). So popularity says something, and the history says more to a
model that reads it. Some users take nothing; no metric counts them.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FILE = Path("recommendations.csv")
ITEMS, SHOWN, REMEMBERED = 27, 10, 3
WORDS = {
    "space": ("galactic lunar stellar", "starship planet station"),
    "crime": ("guilty silent missing", "murder witness verdict"),
    "garden": ("green blooming wild", "roses orchard seeds"),
}


def draw_items(generator: np.random.Generator) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Returns the titles, the genre of each as a number, and its popularity."""
    titles, genres = [], []
    for number, (first, second) in enumerate(WORDS.values()):
        pairs = [f"{one} {other}" for one in first.split() for other in second.split()]
        titles += pairs
        genres += [number] * len(pairs)
    ranks = generator.permutation(ITEMS) + 1
    return titles, np.array(genres), 1 / ranks**0.8


def rows(users: int, seed: int) -> Iterator[tuple[str, str, str, int]]:
    """Yields the rows of the log, user by user."""
    generator = np.random.default_rng(seed)
    titles, genres, popularity = draw_items(generator)
    pull = 0.5 * np.log(popularity / np.median(popularity))
    for user in range(users):
        tastes = generator.dirichlet([0.2] * len(WORDS))[genres]
        wanted = popularity * (tastes + 1e-3)
        past = generator.choice(ITEMS, REMEMBERED, replace=False, p=wanted / wanted.sum())
        others = np.setdiff1d(np.arange(ITEMS), past)
        seen = popularity[others] / popularity[others].sum()
        shown = generator.choice(others, SHOWN, replace=False, p=seen)
        chance = 1 / (1 + np.exp(3.5 - 7 * tastes[shown] - pull[shown]))
        history = "; ".join(titles[item] for item in past)
        for item, taken in zip(shown, generator.random(SHOWN) < chance, strict=True):
            yield f"user {user}", history, titles[item], int(taken)


def write(users: int = 600, seed: int = 1130, file: Path = FILE) -> Path:
    """Writes the log as CSV; returns its file."""
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(("user", "history", "item", "taken"))
        writer.writerows(rows(users, seed))
    return file


if __name__ == "__main__":
    print(write(*map(int, sys.argv[1:])))
