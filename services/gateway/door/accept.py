"""The door: one ASGI app that reads bytes, checks who sent them, makes them durable, and only then says 202.

Nothing is parsed here. What is not believed leaves no trace but a count.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final, assert_never

from chassis.clock import Clock
from chassis.health import Receive, Scope, Send
from chassis.telemetry import METERS, Count
from services.gateway.door import agents, answers, approvals, verification
from services.gateway.door.agents import Agents
from services.gateway.door.answers import Answer
from services.gateway.door.exposures import NO_KEYS, ExposureKeys, Exposures
from services.gateway.door.keeping import Keeping
from services.gateway.door.known_sources import KnownSources
from services.gateway.door.uploads import WEBHOOKS, Arriving, Gone, Uploads
from services.gateway.door.verification import BasicPassword, KeyWanted, Refused, Verified
from services.gateway.door.ways import Ways
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.registry.sources import Kind, Source

_WEBHOOK_PATH: Final = re.compile(r"/webhooks/(?:rmm/[^/]+/[^/]+(?:/bulk)?|(?:psa|exposure)/[^/]+/[^/]+)")


class Door:
    """Accepts deliveries. An ASGI app; `count` tells the metrics what it answered."""

    def __init__(  # noqa: PLR0913 - what a door stands on
        self,
        *,
        sources: KnownSources,
        ways: Ways,
        large: LargeBodies,
        clock: Clock,
        trace_ratio: float,
        uploads: Uploads = WEBHOOKS,
        exposure_keys: ExposureKeys = NO_KEYS,
    ) -> None:
        """Believe `sources`, store through `ways`, bodies that fit into no record through `large` before.

        Exposures and approvals are taken as far as `exposure_keys` allow.
        """
        self._sources = sources
        self._keeping = Keeping(ways=ways, large=large, trace_ratio=trace_ratio)
        self._clock = clock
        self._uploads = uploads
        self._arriving = Arriving()
        self._agents = Agents(keeping=self._keeping, arriving=self._arriving, clock=clock)
        self._exposures = Exposures(
            keeping=self._keeping, arriving=self._arriving, clock=clock, uploads=uploads, keys=exposure_keys
        )
        self._answered: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer_to(scope, receive)
        if isinstance(answer, Answer):
            await send(answer.start)
            await send(answer.body)

    def count(self) -> None:
        """Add what was answered since the last call to the metrics."""
        answered, self._answered = self._answered, Counter()
        for (vendor, outcome), amount in answered.items():
            METERS.add(Count.DELIVERIES, amount, vendor=vendor, outcome=outcome)

    async def _answer_to(self, scope: Scope, receive: Receive) -> Answer | Gone:
        path: str = scope["path"]
        by_path = self._sources.by_path
        source = by_path.get(path) if by_path is not None else None
        if (source is None or source.scheme.__class__ is BasicPassword) and agents.PATH.fullmatch(path):
            return await self._of_agent(source, scope, receive)
        if (source is not None and source.kind is Kind.EXPOSURE) or path.startswith(approvals.PATH):
            told = await self._exposures.answer(source, path, scope, receive)
            return told if isinstance(told, Gone) else self._counted(source, *told)
        if source is None and not _WEBHOOK_PATH.fullmatch(path):
            return answers.NOT_FOUND
        if scope["method"] != "POST":
            return answers.WRONG_METHOD
        if by_path is None:
            return self._counted(source, "not_ready", answers.NOT_READY)
        return await self._of_webhook(source, scope, receive)

    async def _of_webhook(self, source: Source | None, scope: Scope, receive: Receive) -> Answer | Gone:
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        message = await receive()
        first: bytes = message.get("body", b"")
        body: bytes | Answer | Gone = first
        if message.get("more_body", False) or len(first) > self._uploads.largest_bytes:
            body = await self._arriving.long_body(first, headers, receive, self._uploads)
        elif message["type"] == "http.disconnect":
            body = Gone()
        match body:
            case bytes():
                return await self._accepted(source, headers, body)
            case Answer():
                return self._counted(source, "not_read", body)
            case Gone():
                return body
            case _:
                assert_never(body)

    async def _of_agent(self, source: Source | None, scope: Scope, receive: Receive) -> Answer | Gone:
        if self._sources.by_path is None:
            return self._counted(source, "not_ready", answers.NOT_READY)
        told = await self._agents.answer(source, scope["method"], dict(scope["headers"]), receive)
        return told if isinstance(told, Gone) else self._counted(source, *told)

    async def _accepted(self, source: Source | None, headers: Mapping[bytes, bytes], body: bytes) -> Answer:
        received = self._clock()
        scheme = verification.NOBODY if source is None else source.scheme
        verdict = verification.verdict(scheme, headers, body, now=received)
        if source is None:
            return self._counted(None, "unknown", answers.NOT_BELIEVED)
        if isinstance(verdict, KeyWanted):
            verdict = await self._with_key(verdict.address, source.scheme, headers, body)
        if isinstance(verdict, Refused):
            return self._counted(source, verdict, answers.NOT_BELIEVED)
        if isinstance(verdict, KeyWanted):
            return self._counted(source, "key_away", answers.NOT_DURABLE)
        kept = await self._keeping.keep(source, verdict, headers, received)
        if kept.raw_id is not None:
            return self._counted(source, kept.outcome, answers.accepted(kept.raw_id))
        return self._counted(source, kept.outcome, answers.not_kept(kept.outcome))

    async def _with_key(
        self, address: str, scheme: verification.Scheme, headers: Mapping[bytes, bytes], body: bytes
    ) -> Verified | Refused | KeyWanted:
        """Return the verdict once the key at `address` was fetched; one that is here and does not fit: forged."""
        keys = self._sources.callback_keys
        await keys.wait_for(address)
        verdict = verification.verdict(scheme, headers, body, now=self._clock())
        return Refused.FORGED if isinstance(verdict, KeyWanted) and address in keys.by_address else verdict

    def _counted(self, source: Source | None, outcome: str, answer: Answer) -> Answer:
        """Count an answer. A vendor's name is counted only where it is one of ours: a path can hold any."""
        self._answered["unknown" if source is None else source.vendor, outcome] += 1
        return answer
