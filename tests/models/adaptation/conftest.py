from pathlib import Path

import pytest

from models.networks.transformer import LoadedBase
from tests.support.adaptation_trials import load


@pytest.fixture(scope="package")
def bert(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    """A tiny BERT for three classes."""
    return load(Path(tmp_path_factory.mktemp("bert")) / "bert", "classification")


@pytest.fixture(scope="package")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    """A tiny GPT-2 for dialogue."""
    return load(Path(tmp_path_factory.mktemp("gpt2")) / "gpt2", "dialogue")
