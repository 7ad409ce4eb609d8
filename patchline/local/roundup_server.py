"""Serve the local Roundup tracker: `python -m patchline.local.roundup_server PLACE PORT`, made at the first start.

`PLACE/server.json` has the logins and limits. Roundup's own server refuses root; this serves its documented WSGI
handler. Source: Roundup 2.6 documentation, installation guide, "WSGI Handler".
"""

import json
import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import roundup.instance
import waitress
from roundup import init
from roundup.admin import AdminTool
from roundup.cgi.wsgi_handler import RequestDispatcher
from roundup.configuration import CoreConfig
from roundup.password import Password

API_USER: Final = "patchline"
_THREADS: Final = 8
_SCHEMA: Final = 'issue = IssueClass(db, "issue",'
_PROPERTIES: Final = f"""{_SCHEMA}
                correlation_key=String(indexme="no"),
                client=String(indexme="no"),"""


@dataclass(frozen=True, slots=True)
class Options:
    """What the part tells its server. An `api_calls_per_interval` of 0 means no limit."""

    logins: dict[str, str]
    api_calls_per_interval: int = 0
    api_interval_seconds: int = 3600


def serve(place: Path, port: int) -> None:
    """Serve until a signal ends the process."""
    options = Options(**json.loads((place / "server.json").read_text()))
    home = place / "tracker"
    web = f"http://127.0.0.1:{port}/"
    if not home.exists():
        install(home, options=options, web=web)
    configure(home, options=options, web=web)
    with _held_open(home / "db"):
        waitress.serve(
            RequestDispatcher(str(home)), listen=f"127.0.0.1:{port}", threads=_THREADS, ident=None, _quiet=True
        )


@contextmanager
def _held_open(databases: Path) -> Iterator[None]:
    """Keep a connection to each database: whoever closes the last one writes the whole log ahead back, in each call."""
    with ExitStack() as connections:
        for file in _files(databases):
            connection = connections.enter_context(closing(sqlite3.connect(file)))
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield


def _files(databases: Path) -> list[Path]:
    return [each for each in sorted(databases.glob("db*")) if not each.name.endswith(("-wal", "-shm", "-journal"))]


def install(home: Path, *, options: Options, web: str) -> None:
    """Make the tracker whole or not at all: the classic template on sqlite, with our two properties of an issue."""
    partial = home.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    settings = {
        "rdbms_backend": "sqlite",
        "tracker_name": "Patchline local desk",
        "tracker_web": web,
        "mail_domain": "desk.invalid",
        "mail_host": "127.0.0.1",
        "mail_debug": os.devnull,  # no mail leaves
        "password_pbkdf2_default_rounds": "1000",  # the usual 250,000 cost 0.2 s in every call of the API
    }
    init.install(str(partial), AdminTool().listTemplates()["classic"]["path"], settings=settings)
    _replace(partial / "schema.py", _SCHEMA, _PROPERTIES)
    _show_client(partial / "html")
    shutil.copy(Path(__file__).with_name("roundup_hook.py"), partial / "detectors" / "patchline_hook.py")
    tracker = roundup.instance.open(str(partial))
    tracker.init(Password(options.logins["admin"], config=tracker.config))
    _add_api_user(tracker, options.logins[API_USER])
    _write_ahead(partial / "db")
    partial.rename(home)


def configure(home: Path, *, options: Options, web: str) -> None:
    """Write what may differ from start to start: the address and the limits."""
    config = CoreConfig(str(home))
    config["TRACKER_WEB"] = web
    config["WEB_API_CALLS_PER_INTERVAL"] = options.api_calls_per_interval
    config["WEB_API_INTERVAL_IN_SEC"] = options.api_interval_seconds
    config.save()
    (home / "config.ini").chmod(0o600)  # it has the tracker's secret key


def _add_api_user(tracker: roundup.instance.Tracker, password: str) -> None:
    database = tracker.open("admin")
    try:
        database.user.create(
            username=API_USER,
            realname="Patchline",
            password=Password(password, config=database.config),
            address=f"{API_USER}@desk.invalid",
            roles="User",
        )
        database.commit()
    finally:
        database.close()


def _write_ahead(databases: Path) -> None:
    """Let who reads not wait for who writes: the files remember it. Source: SQLite, "Write-Ahead Logging", 3.3."""
    for file in _files(databases):
        with closing(sqlite3.connect(file)) as database:
            database.execute("PRAGMA journal_mode = WAL")


def _show_client(html: Path) -> None:
    """Show an issue's client in the lists, and both properties on its page."""
    head = '   <th tal:condition="request/show/status" i18n:translate="">Status</th>\n'
    cell = '   <td tal:condition="request/show/status"'
    _replace(html / "issue.index.html", head, f'   <th tal:condition="request/show/client">Client</th>\n{head}')
    client = '   <td tal:condition="request/show/client" tal:content="python:i.client.plain() or default">&nbsp;</td>\n'
    _replace(html / "issue.index.html", cell, client + cell)
    _replace(html / "home.html", "'title','creator','assignedto', 'status'", "'title','client','assignedto', 'status'")
    _replace(html / "page.html", "id,activity,title,creator,", "id,activity,title,client,")
    row = '<tr>\n <th i18n:translate="">Superseder</th>'
    fields = "".join(
        f' <th>{label}</th>\n <td tal:content="structure context/{name}/field">{name}</td>\n'
        for label, name in (("Client", "client"), ("Correlation key", "correlation_key"))
    )
    _replace(html / "issue.item.html", row, f"<tr>\n{fields}</tr>\n\n{row}")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        message = f"Roundup's {path.name} is not as expected: {old!r} is not in it"
        raise ValueError(message)
    path.write_text(text.replace(old, new))


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
