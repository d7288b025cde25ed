"""The command line: `twentieth`, or `python -m search`.

The commands lie in `cli/`. What can go wrong is said in a
sentence and exits with a number: 1 failed, 2 wrong input, 3 alive elsewhere or taken over, 4 safe
but not sent to the store, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import logging

import typer

from search.cli import cluster, doctor, run, store
from search.cli.options import fail
from search.spec import SpecError
from search.tracking.ownership import SearchIsAlive

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Hyperparameter search that starts from everything already tried.",
)  # fmt: skip


def main() -> None:
    """Runs a command; what a user can cause is a sentence, not a traceback."""
    logging.getLogger("optuna").setLevel(logging.WARNING)
    logging.getLogger("search").setLevel(logging.ERROR)  # what it would say, `extract` says
    try:
        app()
    except SpecError as error:
        fail(str(error), 2)
    except LookupError as error:
        fail(str(error.args[0] if error.args else error), 2)
    except (OSError, ValueError) as error:
        fail(str(error), 2)
    except SearchIsAlive as error:
        fail(str(error), 3)


run.register(app)
store.register(app)
cluster.register(app)
doctor.register(app)


if __name__ == "__main__":
    main()
