"""The agents' own route: who they are is asked first, a handshake is answered and forgotten, all else is kept.

Before a report an agent asks whether one is wanted. That is answered from nothing, by nothing: no state, no record. A
report is kept as every delivery is, byte for byte, and answered in the agent's own form once it is durable.
"""

import re
from collections.abc import Mapping
from typing import Final, assert_never

from chassis.clock import Clock
from chassis.health import Receive
from services.gateway.door import agent_answers, answers, verification
from services.gateway.door.answers import Answer
from services.gateway.door.keeping import Keeping
from services.gateway.door.uploads import Arriving, Gone, Uploads
from services.gateway.door.verification import Refused, Verified
from services.gateway.keys.bodies import LARGEST_BODY_BYTES
from services.gateway.registry.sources import Source
from services.gateway.vendors import agent_wire
from services.gateway.vendors.agent_wire import HANDSHAKE_BYTES, Handshake

PATH: Final = re.compile(r"/agents/[^/]+/[^/]+")
INVENTORIES: Final = Uploads(largest_bytes=LARGEST_BODY_BYTES, longest_seconds=60.0)
"""What a report may be. An agent is at home behind slow lines, and its report is large."""

CHALLENGED: Final = "challenged"
"""An agent gives its password only once it was asked for it: the first request of each of its runs is no forgery."""

Outcome = tuple[str, Answer]
"""What became of a request, for the metrics, and what is answered."""


class Agents:
    """Answers agents."""

    def __init__(self, *, keeping: Keeping, arriving: Arriving, clock: Clock, uploads: Uploads = INVENTORIES) -> None:
        """Keep reports by `keeping`."""
        self._keeping = keeping
        self._arriving = arriving
        self._clock = clock
        self._uploads = uploads

    async def answer(
        self, source: Source | None, method: str, headers: Mapping[bytes, bytes], receive: Receive
    ) -> Outcome | Gone:
        """Return what to answer to a request for `source`; `None`: there is none of that name.

        No body is read of whom we do not believe: one may be sixteen times as large as a webhook's.
        """
        received = self._clock()
        scheme = verification.NO_AGENT if source is None else source.scheme
        if not isinstance(verification.verdict(scheme, headers, b"", now=received), Verified) or source is None:
            return _unbelieved(source, headers), agent_answers.NOT_BELIEVED
        match method:
            case "GET" | "HEAD":
                return "handshake", agent_answers.NOTHING_TO_DO
            case "POST":
                body = await self._arriving.body(headers, receive, self._uploads)
            case _:
                return "wrong_method", agent_answers.WRONG_METHOD
        match body:
            case bytes():
                return await self._told(source, headers, body)
            case Answer():
                return "not_read", body
            case Gone():
                return body
            case _:
                assert_never(body)

    async def _told(self, source: Source, headers: Mapping[bytes, bytes], body: bytes) -> Outcome:
        message = agent_wire.unpacked(body, HANDSHAKE_BYTES)
        match agent_wire.handshake_in(message):
            case Handshake.PROLOG:
                return "handshake", agent_answers.prolog(message.packing)
            case Handshake.CONTACT:
                return "handshake", agent_answers.contact(message.packing)
            case None:
                return await self._kept(source, headers, body, message)

    async def _kept(
        self, source: Source, headers: Mapping[bytes, bytes], body: bytes, message: agent_wire.Unpacked
    ) -> Outcome:
        received = self._clock()
        verified = verification.verdict(source.scheme, headers, body, now=received)
        if not isinstance(verified, Verified):
            return Refused.FORGED, agent_answers.NOT_BELIEVED
        kept = await self._keeping.keep(source, verified, headers, received)
        if kept.raw_id is None:
            return kept.outcome, answers.not_kept(kept.outcome)
        return kept.outcome, agent_answers.accepted(agent_wire.form_of(message.text), message.packing)


def _unbelieved(source: Source | None, headers: Mapping[bytes, bytes]) -> str:
    if source is None:
        return "unknown"
    return Refused.FORGED if b"authorization" in headers else CHALLENGED
