"""The door of exposure feeds: who they are is checked as for all, but what is kept is redacted first.

Nothing durable ever holds the body as it came: what the rules keep of it goes the way of every delivery, and what they
cannot read is sealed to an offline key. With PostgreSQL away such a body is nowhere, and the sender is told to come
again.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, assert_never
from urllib.parse import parse_qs

from chassis.clock import Clock
from chassis.health import Receive
from contracts.ids import new_raw_id_text
from services.gateway.door import answers, verification
from services.gateway.door.answers import Answer
from services.gateway.door.keeping import Keeping
from services.gateway.door.uploads import Arriving, Gone, Uploads
from services.gateway.door.verification import ClientState, Refused, Verified, VerifiedBody
from services.gateway.exposures.quarantine import Quarantine
from services.gateway.exposures.redaction import Redaction
from services.gateway.exposures.rules_reduce import NotReadable
from services.gateway.registry.sources import Source

NOT_SET_UP: Final = answers.problem(
    503,
    "Service Unavailable",
    "Exposures cannot be taken yet: the gateway has no fingerprint key or no offline key "
    "(PATCHLINE_FINGERPRINT_KEY_FILE, PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE). Send it again.",
    retry_after="60",
)
LONGEST_VALIDATION_TOKEN: Final = 2048
QUARANTINED: Final = "quarantined"
"""What became of a delivery that is kept sealed to the offline key alone."""

Outcome = tuple[str, Answer]
"""What became of a request, for the metrics, and what is answered."""


class Feeds:
    """Answers exposure feeds."""

    def __init__(
        self,
        *,
        keeping: Keeping,
        arriving: Arriving,
        clock: Clock,
        uploads: Uploads,
        redaction: Redaction | None,
        quarantine: Quarantine | None,
    ) -> None:
        """Redact with `redaction`; without it, or without a `quarantine`, nothing is taken."""
        self._keeping = keeping
        self._arriving = arriving
        self._clock = clock
        self._uploads = uploads
        self._redaction = redaction
        self._quarantine = quarantine

    async def answer(
        self, source: Source, query: bytes, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Outcome | Gone:
        """Return what to answer to a POST for `source`."""
        if isinstance(source.scheme, ClientState) and (token := validation_token(query)) is not None:
            return "handshake", handshake(token)
        body = await self._arriving.body(headers, receive, self._uploads)
        match body:
            case bytes():
                return await self._taken(source, headers, body)
            case Answer():
                return "not_read", body
            case Gone():
                return body
            case _:
                assert_never(body)

    async def _taken(self, source: Source, headers: Mapping[bytes, bytes], body: bytes) -> Outcome:
        arrived = _Arrived(source, headers, body, self._clock(), new_raw_id_text())
        verdict = verification.verdict(source.scheme, headers, body, now=arrived.received)
        if not isinstance(verdict, Verified):
            return verdict if isinstance(verdict, Refused) else Refused.FORGED, answers.NOT_BELIEVED
        if self._redaction is None or self._quarantine is None:
            return "not_set_up", NOT_SET_UP
        try:
            redacted = await self._redaction.redacted_beside(source.vendor, body)
        except NotReadable as error:
            return await self._set_aside(self._quarantine, arrived, str(error), None)
        if redacted.unread:
            reason = f"{redacted.unread} of its {redacted.records + redacted.unread} records cannot be read"
            aside = await self._set_aside(self._quarantine, arrived, reason, redacted.unread)
            if not redacted.records or aside[0] != QUARANTINED:
                return aside
        what = Verified(VerifiedBody(redacted.body), verdict.delivery)
        kept = await self._keeping.keep(source, what, headers, arrived.received, raw_id=arrived.raw_id)
        if kept.raw_id is None:
            return kept.outcome, answers.not_kept(kept.outcome)
        return kept.outcome, answers.accepted(kept.raw_id)

    async def _set_aside(self, quarantine: Quarantine, arrived: "_Arrived", reason: str, unread: int | None) -> Outcome:
        is_kept = await quarantine.keep(
            raw_id=arrived.raw_id,
            source=arrived.source.source_id,
            body=arrived.body,
            received_at=arrived.received,
            reason=reason,
            unread=unread,
        )
        return (QUARANTINED, answers.accepted(arrived.raw_id)) if is_kept else ("quarantine_away", answers.NOT_DURABLE)


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A delivery in clear. It is shown nowhere: what is printed of it has no body."""

    source: Source
    headers: Mapping[bytes, bytes] = field(repr=False)
    body: bytes = field(repr=False)
    received: datetime
    raw_id: str


def validation_token(query: bytes) -> str | None:
    """Return the token with which Microsoft Graph asks whether an address is ours; `None`: it does not ask.

    Source: Microsoft Graph, "Receive change notifications through webhooks", endpoint validation.
    """
    try:
        given = parse_qs(query.decode("latin-1"), max_num_fields=16) if query else {}
    except ValueError:
        return None
    tokens = given.get("validationToken", [])
    return tokens[0] if len(tokens) == 1 and len(tokens[0]) <= LONGEST_VALIDATION_TOKEN else None


def handshake(token: str) -> Answer:
    """Return the answer that proves the address: the decoded token as plain text. Nothing is kept of it."""
    body = html.escape(token, quote=False).encode("utf-8", "replace")
    return answers.answer(200, body, b"text/plain; charset=utf-8", x_content_type_options="nosniff")
