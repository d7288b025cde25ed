from models.adversarial.text.attack import AttackedText, AttackResult, TextPrediction
from models.adversarial.text.attack_table import attack_table


def _text(example: int, *, robust: bool, wrong: bool = False) -> AttackedText:
    clean = TextPrediction(score=-1.0 if wrong else 1.0, is_correct=not wrong, tags=())
    worse = not robust and not wrong
    return AttackedText(
        example=example, text=("topic", "fine food"), clean=clean, attacked=clean,
        adversarial=("topic", "fine fodo" if worse else "fine food"), words=2,
        words_changed=int(worse), queries=0 if wrong else 4, is_attacked=not wrong,
        is_worse=worse, is_misclassified=worse or wrong,
    )  # fmt: skip


def test_misclassified_texts_come_first_with_their_text_before_and_after() -> None:
    texts = (_text(3, robust=True), _text(5, robust=False), _text(7, robust=True, wrong=True))
    table = attack_table(AttackResult(2 / 3, 1 / 3, 4.0, 0.5, texts))
    lines = table.splitlines()
    assert lines[0].startswith("3 examples: 1 misclassified before the attack, 1 worse after it.")
    assert lines[2:] == [
        "example 5: misclassified, 1 of 2 words changed, 4 queries",
        "  was  topic | fine food",
        "  now  topic | fine fodo",
        "example 3: robust, 0 of 2 words changed, 4 queries",
        "  was  topic | fine food",
    ]


def test_the_words_of_a_tagged_sentence_are_one_text() -> None:
    clean = TextPrediction(score=0.0, is_correct=True, tags=("O", "B-x"))
    text = AttackedText(
        example=0, text=("in", "Oslo"), adversarial=("in", "Oslo"), clean=clean, attacked=clean,
        words=1, words_changed=0, queries=2, is_attacked=True, is_worse=False,
        is_misclassified=False,
    )  # fmt: skip
    assert "  was  in Oslo" in attack_table(AttackResult(1.0, 1.0, 2.0, 0.0, (text,)))
