"""How commands print sentences."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from search.session import screen
from search.session.screen import say, wrapped_line


def test_a_line_is_broken_between_words_and_goes_on_under_its_text() -> None:
    text = "one two three four five six"
    indent = " " * 10
    assert (
        wrapped_line(f"extract   {text}", 30) == f"extract   one two three four\n{indent}five six"
    )
    assert wrapped_line(f"{indent}{text}", 30) == f"{indent}one two three four\n{indent}five six"
    assert wrapped_line("one two three", 8) == "one two\nthree"
    assert wrapped_line("folder/spec.yaml:1  one two", 24) == "folder/spec.yaml:1  one\n  two"


def test_a_line_with_several_labels_goes_on_under_its_text() -> None:
    trial = "trial 001 stopped     "
    text = "accuracy.clean 0.8322 accuracy.pgd10_linf_0.2 0.0000  (opening)"
    assert wrapped_line(f"{trial}{text}  [2/4]", 80) == (
        f"{trial}accuracy.clean 0.8322 accuracy.pgd10_linf_0.2 0.0000\n{' ' * 22}(opening)  [2/4]"
    )
    check = f"pass  {'versions':24}"
    assert wrapped_line(f"{check}{'word ' * 10}end", 80) == (
        f"{check}{'word ' * 9}word\n{' ' * 30}end"
    )
    assert wrapped_line(f"{check}word word", 36) == f"{check}word\n      word"


def test_a_comment_goes_on_as_a_comment() -> None:
    assert wrapped_line("# trial 001: left 0.5, right 0.5", 20) == (
        "# trial 001: left\n#   0.5, right 0.5"
    )


def test_no_id_path_or_option_is_broken() -> None:
    path = "/a-b/c-d/digits-1123-0915-a1b2"
    assert wrapped_line(f"log in {path}", 12) == f"log in\n{path}"


@pytest.mark.parametrize("has_width", [True, False])
def test_lines_are_broken_only_where_there_is_a_width(
    monkeypatch: pytest.MonkeyPatch, has_width: bool
) -> None:
    monkeypatch.setattr(screen, "HAS_WIDTH", has_width)
    file = io.StringIO()
    say("one two [three]\n\nfour", Console(file=file, width=8))
    assert file.getvalue() == (
        "one two\n[three]\n\nfour\n" if has_width else "one two [three]\n\nfour\n"
    )
