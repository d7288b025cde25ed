"""One class is a trial that was asked, and one is what is being asked; another needs a reason."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Classes that hold a configuration, or values next to where they come from, and why.
KNOWN = {
    "search/history/trial.py": {"Trial": "a trial that was asked"},
    "search/apply/proposal_source.py": {"Proposal": "what is being asked"},
    "search/apply/portfolio.py": {"Choice": "a past trial's configuration and what tasks gain"},
    "search/space/restating.py": {"Restated": "a configuration in another space, and what is off"},
    "search/transfer/sources.py": {"WeightSource": "a trial with the files its weights lie in"},
    "search/cli/documents.py": {
        "TrialDocument": "a trial as `--json` prints it, which nothing reads back",
        "ProposalDocument": "a proposal as `review --json` prints it",
    },
}
CONFIGURATION = {"configuration"}
RESULT = {"values", "state", "run_id"}


def fields_of(node: ast.ClassDef) -> set[str]:
    return {
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
    }


def test_nothing_but_a_trial_and_a_proposal_holds_what_was_tried() -> None:
    found = {
        (str(file.relative_to(ROOT)), node.name)
        for file in sorted((ROOT / "search").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ClassDef)
        if fields_of(node) >= CONFIGURATION or fields_of(node) >= RESULT
    }
    assert found == {(file, name) for file, names in KNOWN.items() for name in names}
