import numpy as np

from models.data.sources import digits_source, stratified


def test_a_stratified_subset_keeps_the_shares_of_the_classes() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    counts = np.bincount(labels[stratified(labels, 50, seed=3)])
    assert counts.tolist() == [30, 15, 5]


def test_remainders_go_to_the_largest_fractions() -> None:
    labels = np.repeat([0, 1, 2], [5, 3, 2])  # exact quotas for 4: 2.0, 1.2, 0.8
    assert np.bincount(labels[stratified(labels, 4, seed=0)]).tolist() == [2, 1, 1]


def test_a_stratified_subset_follows_its_seed_and_repeats_nothing() -> None:
    labels = np.tile(np.arange(10), 30)
    first = stratified(labels, 100, seed=1)
    assert np.array_equal(first, stratified(labels, 100, seed=1))
    assert not np.array_equal(first, stratified(labels, 100, seed=2))
    assert len(set(first.tolist())) == 100


def test_digits_are_split_without_overlap_or_loss() -> None:
    splits = digits_source(0).read()
    rows = np.concatenate([images.reshape(len(images), -1) for images, _ in splits.values()])
    from sklearn.datasets import load_digits

    everything = load_digits().data.astype(np.uint8)
    assert sorted(map(bytes, rows)) == sorted(map(bytes, everything))
    assert {s: len(labels) for s, (_, labels) in splits.items()} == digits_source(0).counts


def test_every_split_of_digits_has_all_classes_in_their_shares() -> None:
    for _, labels in digits_source(5).read().values():
        shares = np.bincount(labels, minlength=10) / len(labels)
        # The ten classes have 174 to 183 of 1,797 images: 9.7 % to 10.2 %; two rounds of rounding.
        assert np.all(np.abs(shares - 0.1) < 0.01)
