"""Every decoder that reads what others sent: true bodies to begin from, and the errors with which it may refuse."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from contracts import approval, envelope, raw
from contracts.errors import UndecodableEvent
from contracts.raw import Channel, RawDelivery
from services.gateway import vendors
from services.gateway.door import connectwise_callbacks, verification
from services.gateway.door.verification import ClientState
from services.gateway.exposures import rules_feeds
from services.gateway.exposures.fingerprint import FingerprintKey
from services.gateway.exposures.redaction import Redaction
from services.gateway.exposures.rules_reduce import NotReadable
from services.gateway.registry import examples
from services.gateway.vendors import agent_wire, exposure_feeds
from services.gateway.vendors.translation import Said, SaidOfExposure, SaidOfTicket

MIB: Final = 1024 * 1024
ROOT: Final = Path(__file__).resolve().parents[2]
EVENTS: Final = ROOT / "contracts" / "examples"
RECEIVED: Final = datetime(2026, 11, 22, 12, tzinfo=UTC)
RAW_ID: Final = UUID("01930000-0000-7000-8000-000000000001")
KEY: Final = b"k" * approval.KEY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One reader of bytes from outside. `refuses`: with what it says that it cannot use them; all else is a crash.

    `seeds` are true bodies; more than `most_bytes` never reach it.
    """

    name: str
    read: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    refuses: tuple[type[Exception], ...] = field(default=())
    most_bytes: int = MIB


def at_the_gateway() -> Iterator[Decoder]:
    """Yield what reads deliveries: adapters, what takes secrets out, what asks who sent it."""
    adapters = {**vendors.adapters(), ("patchline", "webhook"): vendors.patchline.translated}
    for (vendor, channel), _ in sorted(adapters.items()):
        seeds = _examples(vendor, channel, examples.FOLDER)
        read = partial(_translated, vendors.adapters(), vendor, channel)
        yield Decoder(
            name=f"{vendor}, {channel}", read=read, seeds=seeds, most_bytes=16 * MIB if _is_agent(vendor) else MIB
        )
    folder = examples.FOLDER / "exposure"
    redaction = Redaction(FingerprintKey(KEY))
    for (vendor, channel), _ in sorted(exposure_feeds.ADAPTERS.items()):
        read = partial(_translated, exposure_feeds.ADAPTERS, vendor, channel)
        yield Decoder(name=f"exposure/{vendor}, {channel}", read=read, seeds=_examples(vendor, channel, folder))
    for feed in rules_feeds.RULES:
        seeds = _examples(feed.removesuffix("-detections"), None, folder)
        yield Decoder(
            name=f"redaction, {feed}", read=partial(redaction.redacted, feed), seeds=seeds, refuses=(NotReadable,)
        )
    yield from _askers(_examples("graph", None, folder))


def of_events() -> Iterator[Decoder]:
    """Yield what reads records: each type of event from its committed example, and a raw record's headers."""
    for file in sorted(EVENTS.glob("*.json")):
        told = json.loads(file.read_text())
        headers = [(name, each.encode()) for name, each in told["headers"].items()]
        name, refuses = file.name.removesuffix(".json"), (UndecodableEvent,)
        seeds = (json.dumps(told["value"]).encode(),)
        of_value = partial(envelope.decode, headers)
        yield Decoder(name=f"{name}, value", read=of_value, seeds=seeds, refuses=refuses, most_bytes=65_536)
        heads = (json.dumps(told["headers"]).encode(),)
        read = partial(_with_headers, envelope.decode, seeds[0] if told["value"] is not None else None)
        yield Decoder(name=f"{name}, headers", read=read, seeds=heads, refuses=refuses, most_bytes=65_536)
    head = dict(raw.headers_of(_delivery("patchline", "webhook", b"")))
    seeds = (json.dumps({name: each.decode() for name, each in head.items()}).encode(),)
    read = partial(_with_headers, _raw_order, b"{}")
    yield Decoder(name="raw record, headers", read=read, seeds=seeds, refuses=(UndecodableEvent,), most_bytes=65_536)


def _askers(notifications: tuple[bytes, ...]) -> Iterator[Decoder]:
    """Yield what reads a body before it is known who sent it."""
    state = ClientState((verification.unguessable(), verification.unguessable()))
    believed = partial(verification.verdict, state, {}, now=RECEIVED)
    yield Decoder(name="a notification's secret", read=believed, seeds=notifications)
    callbacks = _examples("connectwise", None, examples.FOLDER)
    yield Decoder(name="a callback's key", read=_callback, seeds=callbacks)
    yield Decoder(
        name="the answer with a key", read=connectwise_callbacks.signing_key_of, seeds=(b'{"signing_key": "k"}',)
    )
    agents = _examples("glpi-agent", None, examples.FOLDER)
    yield Decoder(name="an agent's handshake", read=_handshake, seeds=agents, most_bytes=16 * MIB)
    claims = json.dumps({"v": 1, "case": "c", "approver_digest": "a", "expires": 1_763_000_000, "nonce": "n"})
    yield Decoder(name="an approval's claims", read=_claims, seeds=(claims.encode(),), most_bytes=700)


def _is_agent(vendor: str) -> bool:
    return vendor == "glpi-agent"


def _examples(vendor: str, channel: Channel | None, folder: Path) -> tuple[bytes, ...]:
    found = [each.body for each in examples.examples_of(vendor, folder) if channel in {None, each.channel}]
    return tuple(found) or (b'{"records": [{"login": "bob@acme.example", "document": "d"}]}',)


def _delivery(vendor: str, channel: Channel, body: bytes) -> RawDelivery:
    return RawDelivery(
        raw_id=RAW_ID, vendor=vendor, source=f"rmm/{vendor}/a", received=RECEIVED, channel=channel, body=body
    )


def _translated(adapters: vendors.Adapters, vendor: str, channel: Channel, body: bytes) -> object:
    """Translate, and write down each event: what cannot be written cannot travel."""
    said = vendors.translated(_delivery(vendor, channel, body), adapters)
    events: list[Said | SaidOfTicket | SaidOfExposure] = [*said.said, *said.tickets, *said.exposures]
    for each in events:
        told = envelope.Envelope(
            id=each.id, source="s", subject="s", time=each.time, received=RECEIVED, data=each.event
        )
        message = envelope.encode(told)
        envelope.decode(message.headers, message.value)
    return said


def _with_headers(read: Callable[[Any, bytes | None], object], value: bytes | None, head: bytes) -> object:
    """Read a record whose headers are the fields of `head`, as text; without such fields it has none."""
    try:
        told = json.loads(head)
    except (ValueError, RecursionError):
        told = {}
    fields: Mapping[str, object] = told if isinstance(told, dict) else {}
    return read([(name, str(each).encode("utf-8", "surrogatepass")) for name, each in fields.items()], value)


def _raw_order(headers: Any, value: bytes | None) -> object:
    """Read a raw record, and compare when it was received, as every handler does."""
    return raw.delivery_of(headers, value).received < RECEIVED


def _callback(body: bytes) -> object:
    callback = connectwise_callbacks.callback_of(body)
    return callback and connectwise_callbacks.pinned(callback.key_url, connectwise_callbacks.CLOUD_HOSTS)


def _handshake(body: bytes) -> object:
    return agent_wire.handshake_in(agent_wire.unpacked(body, agent_wire.HANDSHAKE_BYTES))


def _claims(body: bytes) -> object:
    """Read claims that are signed as ours are: who holds the key is believed, but not to write what can be read."""
    return approval.claims_in(_signed(body), KEY)


def _signed(body: bytes) -> str:
    text = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
    digest = hmac.digest(KEY, text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"
