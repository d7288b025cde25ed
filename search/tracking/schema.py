"""The schema of an MLflow database: which one it has, and whether this MLflow may open it.

MLflow numbers the states of its tables by Alembic's revisions. A version of MLflow that opens a
database of an older one finds tables missing and upgrades it at once, without a question and under
the searches that write to it; so it is asked here first. Not for reading runs (read/sql_reader.py).
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import column, create_engine, inspect, select, table
from sqlalchemy.pool import NullPool

from search.tracking.server import without_password

# The schemas whose tables read/sql_reader.py knows -> the versions of MLflow that make them. One is
# added after `pytest tests/search/tracking tests/contracts/test_layouts.py` passed with that
# version (docs/guides/mlflow_versions.md has how).
KNOWN = {"dc11669786a5": "3.17", "f4a9b2c7d1e6": "3.18"}
# https://docs.sqlalchemy.org/en/20/dialects/: those that MLflow opens.
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_VERSION = table("alembic_version", column("version_num"))
_REVISION = re.compile(r'^revision\b.*?= *["\'](\w+)["\']', re.M)
_EARLIER = re.compile(r"^down_revision\b.*?= *(.+)$", re.M)


def is_database(tracking_uri: str) -> bool:
    """Whether MLflow's client opens a database itself, and asks no server."""
    return urlsplit(tracking_uri).scheme.split("+")[0] in DATABASES


def revision_of(tracking_uri: str) -> str:
    """Returns the revision of a database's schema; empty if it has none, as an empty database.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    engine = create_engine(tracking_uri, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            if not inspect(connection).has_table(_VERSION.name):
                return ""
            return str(connection.execute(select(_VERSION)).scalar() or "")
    finally:
        engine.dispose()


def unknown_revision(tracking_uri: str) -> str:
    """Returns the revision of a database whose tables are not known here; empty if they are.

    Raises:
        SQLAlchemyError: the database cannot be read.
    """
    found = revision_of(tracking_uri)
    return "" if found in KNOWN else found


def refuse_other_schema(tracking_uri: str) -> None:
    """Checks that a database has the schema of the MLflow that is installed here, or none yet.

    Raises:
        ValueError: an older or a newer version of MLflow made its tables; the message says which,
            and what to do.
        SQLAlchemyError: the database cannot be read.
    """
    import mlflow

    found, revisions = revision_of(tracking_uri), installed_revisions()
    if not found or not revisions or found == revisions[-1]:
        return
    shown, here = without_password(tracking_uri), mlflow.__version__
    theirs = f"MLflow {KNOWN[found]}" if found in KNOWN else f"schema {found}"
    install = f"install mlflow=={KNOWN[found]}.*" if found in KNOWN else "install its MLflow"
    if found not in revisions:
        raise ValueError(
            f"tracking store {shown!r} has the tables of a newer MLflow ({theirs}) than the "
            f"{here} that is installed here; fix: {install}, or name another store with "
            "--tracking-uri"
        )
    raise ValueError(
        f"tracking store {shown!r} has the tables of an older MLflow ({theirs}) than the {here} "
        f"that is installed here, which would have to change them; fix: {install}; or stop every "
        "search and every server that writes to this store (what they write during an upgrade is "
        f"lost), make a copy of it, and run: mlflow db upgrade {shown}"
    )


@functools.cache
def installed_revisions() -> tuple[str, ...]:
    """Returns the revisions that the installed MLflow knows, its own last; empty if unclear.

    Read as text, for Alembic's own way of reading runs 70 files, which takes a second.
    """
    import mlflow.store.db_migrations as migrations

    earlier: dict[str, str] = {}
    for file in Path(migrations.__path__[0], "versions").glob("*.py"):
        text = file.read_text(encoding="utf-8")
        revision, before = _REVISION.search(text), _EARLIER.search(text)
        if revision is not None:
            earlier[revision.group(1)] = before.group(1) if before is not None else ""
    followed = set(re.findall(r"\w+", " ".join(earlier.values())))
    heads = sorted(earlier.keys() - followed)
    if len(heads) != 1:
        return ()
    return (*sorted(earlier.keys() - {heads[0]}), heads[0])
