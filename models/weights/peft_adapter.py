"""An adapter in the layout of PEFT: `adapter_config.json` and `adapter_model.safetensors`.

`peft.PeftModel.from_pretrained(base, FOLDER)` loads it onto the base, as `AutoPeftModel...` does
where the base has the same name there. The head, which no base has, travels in `modules_to_save`.
Not for merged models (`export.py`), nor for bottleneck adapters, which PEFT does not have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.adaptation.adapted_model import Adapted
from models.kinds import KINDS
from models.weights.from_checkpoint import changed_body

PEFT_METHODS = ("lora", "dora", "adalora", "ia3", "prefix")


def check_is_peft(name: str, configuration: Mapping[str, Any]) -> None:
    """Check that a trial's adaptation is one of PEFT's.

    Args:
        name: Name of the trial, for the message.
        configuration: Its complete hyperparameters.

    Raises:
        ValueError: It is not, or the trial is of a network without an adaptation.
    """
    method = configuration.get("adaptation")
    if method in PEFT_METHODS:
        return
    trained = f"adaptation {method}" if method else "a network without an adaptation"
    raise ValueError(
        f"{name} is {trained}; an adapter for PEFT can be made of {', '.join(PEFT_METHODS)}; "
        "fix: leave --adapter out"
    )


def check_base_is_unchanged(name: str, adapted: Adapted, plain: Any) -> None:
    """Check that what lies below an adaptation is the pretrained base.

    Args:
        name: Name of the trial, for the message.
        adapted: Its model.
        plain: The pretrained base.

    Raises:
        ValueError: The trial started from merged weights of an earlier one.
    """
    if changed := changed_body(adapted, plain):
        raise ValueError(
            f"{name} started from the weights of an earlier trial: {len(changed)} tensors below "
            "its adapter differ from the pretrained base, and an adapter does not store them; "
            "fix: leave --adapter out"
        )


def save_adapter(adapted: Adapted, reference: str, kind: str, folder: Path) -> None:
    """Write the trained weights of a model under one of `PEFT_METHODS`, and their configuration.

    Args:
        adapted: The model, on the CPU.
        reference: Of its base: a name, `hub:NAME` or `hub:NAME@REVISION`.
        kind: Kind of its data.
        folder: Exists; a README.md in it is removed, because PEFT writes an empty one.
    """
    model: Any = adapted.model
    if adapted.method == "adalora":
        # NOTE: peft 0.21 cuts pruned ranks off when it saves, and scales by the rank that is left
        # when it loads. Pruned singular values are zero, so whole matrices compute the same.
        model.peft_config[model.active_adapter].rank_pattern = None
    # Otherwise peft asks the hub for the base's configuration.
    model.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    name, revision = reference, ""
    if reference.startswith("hub:"):  # any other name may have an @ in it
        name, _, revision = reference.removeprefix("hub:").partition("@")
    known = {
        "base_model_name_or_path": name,  # peft writes the folder on this machine
        "revision": revision or None,
        "task_type": KINDS[kind].peft_task,
    }
    record = json.loads(path.read_text(encoding="utf-8")) | known
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
