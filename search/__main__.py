"""The command line: `twentieth`, or `python -m search`.

The commands are defined in `cli/`. An error that a user can cause is a sentence and an exit code:
1 failed, 2 wrong input, 3 running elsewhere or taken over, 4 safe but not sent to the store, 130
stopped by Ctrl-C.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated

import typer

from search.cli import cluster, compare, data, doctor, edit, imports, run, store
from search.cli.options import fail
from search.optimize.garbage import collect_rarely
from search.session.screen import quiet_libraries, say
from search.tracking.environment import commit
from search.tracking.ownership import SearchIsAlive

app = typer.Typer(
    no_args_is_help=True, pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
EXAMPLES: dict[Callable[..., None], str] = {
    run.run: "run search/specs/digits.yaml --trials 20 --seed 1",
    run.resume: "resume digits-1123-0915-a1b2 --trials 8",
    run.repeat: "repeat digits-1123-0915-a1b2#7 --seeds 5",
    run.review: "review search/specs/digits.yaml --json",
    data.data: "data digits --set image_size=4",
    store.history: "history",
    store.show: "show digits-1123-0915-a1b2",
    compare.compare: "compare digits-1123-0915-a1b2 digits-1124-1031-c3d4",
    store.schema: "schema history",
    store.report: "report digits-1123-0915-a1b2",
    store.export: "export digits-1123-0915-a1b2#7 digits_network",
    store.attack: "attack digits-1123-0915-a1b2#7 --epsilon 8/255",
    store.explain: "explain digits-1123-0915-a1b2#7 --examples 3",
    store.ui: "ui --port 5001",
    edit.stop: "stop digits-1123-0915-a1b2#7",
    edit.note: "note digits-1123-0915-a1b2 'augmentation was switched off by mistake'",
    edit.rename: "rename digits-1123-0915-a1b2 digits-without-augmentation",
    edit.delete: "delete digits-1123-0915-a1b2",
    imports.import_sweep: "import-sweep sweep.yaml",
    imports.import_runs: "import-runs runs.csv --spec sweep_spec.yaml",
    imports.import_study: "import-study sqlite:///study.db --spec mine.yaml",
    cluster.launch: "launch search/specs/digits.yaml --cluster cluster.yaml "
    "--tracking-uri https://mlflow.example.org --results /shared/results",
    cluster.attach: "attach --cluster cluster.yaml",
    doctor.doctor: "doctor search/specs/digits.yaml --cluster cluster.yaml "
    "--tracking-uri https://mlflow.example.org --results /shared/results",
}
for command, example in EXAMPLES.items():
    app.command(epilog=f"Example: twentieth {example}")(command)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        found = commit()
        say(f"twentieth {version('twentieth')}" + (f" (commit {found})" if found else ""))
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Hyperparameter search that starts from everything already tried."""


@quiet_libraries()
def main() -> None:
    """Runs a command; an error that a user can cause is printed without a traceback."""
    collect_rarely()
    try:
        app(prog_name="twentieth")  # completion is of this name, however it was started
    except (LookupError, OSError, ValueError) as error:
        fail(str(error), 2)
    except SearchIsAlive as error:
        fail(str(error), 3)
    except Exception as error:
        from search.tracking.store import trouble_in_words

        if not (trouble := trouble_in_words(error)):
            raise
        fail(trouble, 2)


if __name__ == "__main__":
    main()
