"""Sets up a trial before its search, as a worker does, but trains nothing.

What only a trial would find out is found here: a tokenizer that does not load, a weight of another
shape, images that do not fit the pretrained model, texts that do not fit in memory.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from models.catalog import data_kind
from models.networks.base_model import locate_base
from search.optimize.plan import trial_seed
from search.optimize.worker_task import TaskOnWorker, WorkersBase, training_of
from search.spec import Spec


def check_setup(spec: Spec) -> str:
    """Set up the training of one configuration on this machine's CPU; return what it was made of.

    Weights that the search would take from earlier trials are left out: they come from its store.

    Raises:
        ValueError: the trial cannot be set up; other errors are those of its libraries.
    """
    from models.data.loading import load_data  # torch costs seconds

    task = spec.task
    assert not task.is_function, "a user's function sets itself up"
    spec = spec.model_copy(
        update={
            "initial_weights": None,
            "resources": spec.resources.model_copy(update={"gpus": 0.0}),
            "space": {name: part for name, part in spec.space.items() if name != "initial_weights"},
        }
    )
    data = load_data(task.data, data_kind(task.catalog_name))
    base = locate_base(task.base) if task.base else None
    configuration = spec.search_space().random_configuration(np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        shared = TaskOnWorker(spec, Path(folder), 0, base=base)
        config = {
            "number": 0, "configuration": spec.complete(configuration),
            "seed": trial_seed(spec.seed, 0), "checkpoints": folder,
        }  # fmt: skip
        training_of(shared, config, data, WorkersBase())
    return f"the data{' and the pretrained model' if base else ''} make a training"
