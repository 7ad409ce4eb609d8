"""What the simulated ConnectWise PSA calls back is believed at the door, and says what was done to the ticket."""

from typing import Any

import pytest

from contracts.events.psa import TicketChange
from services.gateway import vendors
from services.gateway.door.connectwise_callbacks import callback_of, is_signed, pinned
from simulators.connectwise import BOARD, KEY_PATH, Deed, Sandbox
from simulators.connectwise_callbacks import Callbacks
from tests.builders import delivery

KEY = "pl-patch_failed-7254fa23-1241-5de0-b12a-3f282902621c-g1"
HOST = "127.0.0.1:18093"
C = TicketChange


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    bodies: list[bytes] = []
    monkeypatch.setattr(Callbacks, "_send", lambda _self, _url, body: bodies.append(body))
    return bodies


@pytest.fixture
def psa() -> Sandbox:
    sandbox = Sandbox(url=f"http://{HOST}")
    sandbox.callbacks.key_url = f"{sandbox.url}{KEY_PATH}"
    sandbox.seed({"ACME": "Acme Dental"})
    entry = {"type": "ticket", "level": "owner", "objectId": 1, "url": "https://hooks.example/x"}
    sandbox.callbacks.register(entry, by="patchline", at=sandbox.clock())
    return sandbox


def planted(psa: Sandbox) -> int:
    fields = {"summary": "x", "company": {"id": 2}, "board": {"name": BOARD}, "externalXRef": KEY}
    return int(psa.records.create(fields, by="patchline", at=psa.clock())["id"])


def test_a_callback_is_believed_with_the_key_at_its_pinned_address(psa: Sandbox, told: list[bytes]) -> None:
    psa.act(Deed(ticket=planted(psa), note={"text": "hello", "internalAnalysisFlag": True}))

    [body] = told
    callback = callback_of(body)
    assert callback is not None
    assert pinned(callback.key_url, {HOST}) == callback.key_url
    assert pinned(callback.key_url, {"*.myconnectwise.net"}) is None
    signature = psa.callbacks.signature_of(body).encode()
    assert is_signed(psa.callbacks.signing_key, body, signature)
    assert not is_signed(psa.callbacks.signing_key, body.replace(b"updated", b"deleted"), signature)


@pytest.mark.parametrize(
    ("status", "change"), [(104, C.CLOSED), (101, C.CHANGED)], ids=["closed", "moved to another open status"]
)
def test_a_persons_deed_is_told_with_key_and_name(
    psa: Sandbox, told: list[bytes], status: int, change: TicketChange
) -> None:
    number = planted(psa)
    psa.act(Deed(ticket=number, by="jane", patch=[_to(status)]))

    said = vendors.translated(
        delivery(told[0], source="psa/connectwise/main", vendor="connectwise"), vendors.adapters()
    )
    [event] = said.tickets
    assert (event.event.number, event.event.change, event.event.key) == (str(number), change, KEY)
    assert event.event.by == "jane"


def _to(status: int) -> dict[str, Any]:
    return {"op": "replace", "path": "status", "value": {"id": status}}
