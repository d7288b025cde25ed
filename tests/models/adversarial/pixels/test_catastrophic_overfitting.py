from models.adversarial.pixels.catastrophic_overfitting import Collapse


def after(*epochs: tuple[float, float]) -> bool:
    collapse = Collapse()
    for fgsm, pgd in epochs:
        collapse = collapse.after(fgsm, pgd)
    return collapse.seen


def test_pgd_collapsing_under_a_high_fgsm_accuracy_is_one() -> None:
    assert after((0.6, 0.5), (0.9, 0.1))


def test_one_that_was_seen_stays_seen() -> None:
    assert after((0.6, 0.5), (0.9, 0.1), (0.6, 0.5))


def test_losing_both_or_a_part_is_none() -> None:
    assert not after((0.6, 0.5), (0.2, 0.1))  # both fall: bad training
    assert not after((0.6, 0.5), (0.7, 0.35))  # robust overfitting


def test_a_gap_without_a_fall_is_none() -> None:
    assert not after((0.6, 0.2), (0.7, 0.2), (0.8, 0.15))


def test_little_robustness_is_lost_by_chance_and_that_is_none() -> None:
    # Of 74 images, 8 and then none: 0.11 +- 0.04.
    assert not after((0.4, 0.11), (0.4, 0.0))
