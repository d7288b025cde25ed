"""Paths as URIs and back: which file a tracking URI means, and the URI of a file.

SQLAlchemy decodes the path of `sqlite:///PATH` (from 2.1 on), in which "?" begins a query, and
MLflow decodes the location of artifacts. So a path with "%" or "?" is written with codes. Every
other module asks here, so that the database, its lock, the cache and the artifacts lie in one
folder. Not for the addresses of servers.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

PREFIX = "sqlite:///"
# The same database to SQLAlchemy. For a URI that begins with `PREFIX`, MLflow also makes the folder
# that it names with the codes not decoded, and leaves it empty.
DIALECT = "sqlite+pysqlite:///"
# The name of an experiment may have 500 characters, that of a folder 255 bytes.
NAME_BYTES = 200


def store_uri(database: Path) -> str:
    """Returns the tracking URI of a database file; a relative path stays relative."""
    path = str(database)
    if not set("%?") & set(path):  # the usual case, without SQLAlchemy, which is slow to import
        return PREFIX + path
    if _database(PREFIX + path) == path:  # a "%" that begins no code, or SQLAlchemy 2.0
        return PREFIX + path
    return PREFIX + path.replace("%", "%25").replace("?", "%3F")


def database_path(tracking_uri: str) -> Path | None:
    """Returns the absolute file of an SQLite store, as SQLite opens it; None for any other store.

    A link to the file is followed, as SQLite does for its journal; links to folders are kept.
    """
    database = _database(tracking_uri)
    if database.startswith("file:"):  # SQLite's own form of URIs
        database = unquote(urlsplit(database).path)
    if database in ("", ":memory:"):
        return None
    path = Path(database)
    return Path(os.path.realpath(path)) if path.is_symlink() else path.absolute()


def client_uri(tracking_uri: str) -> str:
    """Returns the URI to give to MLflow, which then makes no other folder than the database's."""
    written = tracking_uri.removeprefix(PREFIX)
    is_coded = written != tracking_uri and written.partition("?")[0] != _database(tracking_uri)
    return DIALECT + written if is_coded else tracking_uri


def artifact_location(database: Path, experiment: str) -> str:
    """Returns the URI of the folder for an experiment's artifacts, next to the database."""
    name = re.sub(r"^\.|/", "_", experiment)  # the folder lies in `artifacts`, whatever the name
    name = name.encode()[:NAME_BYTES].decode(errors="ignore")
    return (database.parent / "artifacts" / name).as_uri()


def check_uri(tracking_uri: str) -> None:
    """Checks that an SQLite URI means the file that it seems to name; others are not looked at.

    Raises:
        ValueError: it means another file, or none; the message says how to write it.
    """
    if not tracking_uri.startswith("sqlite"):
        return
    shown, written = f"tracking store {tracking_uri!r}", tracking_uri.partition(":///")[2]
    if not written:
        beginning = tracking_uri.partition(":")[2].lstrip("/")
        raise ValueError(f"{shown} names no file; fix: write {PREFIX}{beginning or 'mlflow.db'}")
    file = database_path(tracking_uri)
    if file is None:
        return
    check_text(file)
    path, _, query = written.partition("?")
    is_path = any("=" not in part or "/" in part for part in query.split("&")) and bool(query)
    codes = [each for each in Path(written).parents if set("%?") & set(each.name)]
    is_literal = any(each.exists() for each in codes) and not file.exists()
    if _database(tracking_uri) != written and (is_path or is_literal):
        raise ValueError(
            f"{shown} means {file}, because '%' begins a code in a URI and '?' ends the path; "
            f"fix: for {written} write {store_uri(Path(written))}"
        )
    if file.is_dir() or path.endswith("/"):
        raise ValueError(
            f"{shown} is a folder; fix: name a file in it: {store_uri(Path(path) / 'mlflow.db')}"
        )


def check_text(path: Path) -> None:
    """Checks that a path can stand in a store, which holds text.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = str(path).encode(errors="replace").decode()
        raise ValueError(
            f"{shown}: the name is not UTF-8, which MLflow cannot store; fix: rename the folder"
        ) from None


def _database(tracking_uri: str) -> str:
    """Returns the path of an SQLite URI as SQLAlchemy reads it; "" if it has none."""
    if not tracking_uri.startswith("sqlite"):
        return ""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(tracking_uri).database or ""
    except (ArgumentError, ValueError):
        return ""
