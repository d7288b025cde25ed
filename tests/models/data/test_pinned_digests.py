"""The digests and the order of examples that stored searches were run with do not change.

A digest is part of a task's identity: if it changed, searches would no longer learn from those
before. The values were recorded by the code before `datasets` read files; they are of the data sets
that lie next to the repository.
"""

import hashlib
import json
from pathlib import Path

import pytest

from models.catalog import describe_data
from models.data.loading import ImageSplits, Splits, load_data

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
# Folder -> kind, digest, digest of 90 training examples by split seed 3, digest of their order.
# fmt: off
PINNED = {
    "images/fashion_mnist_10k": ("images", "2afb57d50b3c", "d6067b925ee3", "315c6d1ea247"),
    "images/kmnist_t10k": ("images", "5f4b5b37d734", "0c1782cecebe", "140635ef0ac9"),
    "images/mnist_10k": ("images", "eb5b4c84ec9c", "2a576c12d0a0", "91b7cd32cb4f"),
    "text/broad_twitter": ("entities", "7688f5387987", "e51cbdcc5975", "c1e2853e3cf6"),
    "text/crossner_ai": ("entities", "d31e1961a209", "af3d66b538d0", "c93c71cffdaf"),
    "text/crossner_literature": ("entities", "98bb82b07f88", "5c03a29cb43c", "a8f7df8be0ee"),
    "text/crossner_music": ("entities", "acfb7c4d0b98", "a9b1bc55a7c0", "d3412f70a39d"),
    "text/crossner_politics": ("entities", "95e92eb9bd10", "d908bfe960de", "6847697ca726"),
    "text/crossner_science": ("entities", "07f3996e0aaf", "04ebd1c238ef", "3631a640a8d4"),
    "text/customer_reviews": ("classification", "f425b83a6013", "b4973a481157", "ee762d93b869"),
    "text/sec_filings": ("entities", "47951e6d59ee", "0a1d579f9c4b", "128a3bdcc340"),
    "text/sst2": ("classification", "35bba0f52bcd", "4dcfd387a696", "1616cb2bb540"),
    "text/subj": ("classification", "24d000f0fc3c", "fdb05bcbee9a", "9b16921249f2"),
    "text/trec6": ("classification", "19ac42d2cccc", "31d53a0786fa", "2e71949043a7"),
    "text/tweet_emotion": ("classification", "9c20ad812b46", "2d35bae19515", "9265aae0bd38"),
    "text/tweet_irony": ("classification", "3f6d78976f00", "875b573e6776", "cb04b621e97f"),
    "text/tweet_stance_abortion":
        ("classification", "d210b72c1a1a", "69fe906ca6b0", "ec32094c8135"),
    "text/tweet_stance_atheism": ("classification", "c5045194ccd1", "ab82c80eff00", "adfcb1fd8618"),
    "text/tweet_stance_climate": ("classification", "f2395735c5a8", "79e569768d82", "39787b2b706c"),
    "text/tweet_stance_feminist":
        ("classification", "1e097294e79d", "c5d8771bee03", "7a3d6dbf9412"),
    "text/tweet_stance_hillary": ("classification", "39d3a217d966", "4ac2ed398a9a", "c81751f1a799"),
    "text/wnut17": ("entities", "e1353cb77735", "c51e3dadee5f", "bec01dc99cca"),
}
# fmt: on
# Split seed -> digest and order of the digits.
DIGITS = {0: ("d057663734dc", "a603ace81ed3"), 5: ("fc97738dea1d", "e4c9fc74a1d6")}
SPLITS = ("train", "validation", "test")


def order(data: Splits) -> str:
    """Returns a digest over all examples, in their order."""
    digest = hashlib.sha256()
    for split in SPLITS:
        if isinstance(data, ImageSplits):
            digest.update(getattr(data, f"{split}_images").tobytes())
            digest.update(getattr(data, f"{split}_labels").tobytes())
        else:
            examples = getattr(data, split)
            digest.update(json.dumps([examples.texts, examples.labels]).encode())
    return digest.hexdigest()[:12]


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not next to the repository")
@pytest.mark.parametrize("name", PINNED)
def test_digest_and_order_of_a_folder_are_those_of_history(name: str) -> None:
    kind, whole, few, ordered = PINNED[name]
    settings = {"path": str(DATA / name)}
    chosen = {**settings, "train_examples": 90, "split_seed": 3}
    assert describe_data(settings, kind).digest == whole
    assert describe_data(chosen, kind).digest == few
    assert order(load_data(chosen, kind)) == ordered


@pytest.mark.parametrize("seed", DIGITS)
def test_digest_and_order_of_the_digits_are_those_of_history(seed: int) -> None:
    settings = {"name": "digits", "split_seed": seed}
    assert (describe_data(settings).digest, order(load_data(settings, "images"))) == DIGITS[seed]


def test_the_digest_of_the_dialogues_is_that_of_history() -> None:
    assert describe_data({"name": "dialogue"}, "dialogue").digest == "633f6b11d7ab"
