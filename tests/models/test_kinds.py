"""The table of kinds of data, which specs, models and exports look things up in."""

from __future__ import annotations

from typing import get_args

import peft
import transformers

from models.kinds import KINDS, Kind


def test_every_kind_that_a_spec_may_name_has_a_record() -> None:
    assert tuple(KINDS) == get_args(Kind)


def test_every_kind_has_a_class_of_transformers_and_a_task_of_peft_by_its_name() -> None:
    for kind, record in KINDS.items():
        assert hasattr(transformers, record.auto_class)
        assert kind == "images" or record.peft_task in list(peft.TaskType)
