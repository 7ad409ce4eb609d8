"""The ticket system is added as a source and told where the gateway is, each in its own way."""

import json
import sys
from pathlib import Path
from typing import assert_never

import httpx

from patchline.demo.hearing import hear
from patchline.local.connectwise import ConnectWise
from patchline.local.request_tracker import RequestTracker
from patchline.local.roundup import Roundup
from simulators import connectwise as sandbox
from tests.demo.conftest import Standing

URL = "http://127.0.0.1:1/webhooks/psa/x/desk"
SECRET = "only shown once"


class Typed:
    """Stands for the command line: keeps what is typed and shows what `source add` shows."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def main(self, args: list[str], *, prog_name: str, standalone_mode: bool) -> object:
        self.words = args
        sys.stdout.write(json.dumps([{"source": "psa/x/desk", "url": URL, "secret": SECRET}]))
        return prog_name, standalone_mode


def test_the_ticket_system_is_a_source_and_tells_what_happens_to_its_tickets(standing: Standing) -> None:
    typed = Typed()

    hear(typed, standing.settings)

    home = Path(standing.settings["PATCHLINE_HOME"])
    assert typed.words[:2] == ["source", "add"]
    assert typed.words[3] == "desk"
    match standing.desk:
        case Roundup():
            kept = json.loads((home / "roundup" / "tracker" / "patchline-hook.json").read_text())
            assert kept == {"url": URL, "secret": SECRET}
        case RequestTracker():
            assert typed.words[4:6] == ["--given-secret-file", str(home / "secrets" / "tracker-hook")]
        case ConnectWise():
            assert typed.words[4:6] == ["--key-host", standing.desk.url.removeprefix("http://")]
            assert [each["url"] for each in callbacks(standing.desk)] == [URL]
        case desk:
            assert_never(desk)


def callbacks(desk: ConnectWise) -> list[dict[str, object]]:
    answer = httpx.get(
        f"{desk.url}/{sandbox.CODEBASE}apis/3.0/system/callbacks",
        auth=(f"{sandbox.COMPANY}+{sandbox.PUBLIC_KEY}", sandbox.PRIVATE_KEY),
        headers={"clientId": sandbox.CLIENT_ID},
        timeout=10,
        trust_env=False,
    )
    found: list[dict[str, object]] = answer.json()
    return found
