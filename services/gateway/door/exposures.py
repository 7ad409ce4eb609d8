"""What has to do with exposed credentials at the door: their feeds, and the links by which people approve a reset."""

from dataclasses import dataclass

from chassis.clock import Clock
from chassis.health import Receive, Scope
from services.gateway.door import answers, approvals
from services.gateway.door.answers import Answer
from services.gateway.door.approvals import Approvals
from services.gateway.door.feeds import Feeds
from services.gateway.door.keeping import Keeping
from services.gateway.door.uploads import Arriving, Gone, Uploads
from services.gateway.exposures.quarantine import Quarantine
from services.gateway.exposures.redaction import Redaction
from services.gateway.registry.sources import Source

Outcome = tuple[str, Answer]
"""What became of a request, for the metrics, and what is answered."""


@dataclass(frozen=True, slots=True)
class ExposureKeys:
    """What takes secrets out, what keeps the unreadable, what signs links; without them nothing such is taken."""

    redaction: Redaction | None = None
    quarantine: Quarantine | None = None
    approval: bytes | None = None


NO_KEYS = ExposureKeys()
"""A gateway without feeds."""


class Exposures:
    """Answers feeds and approvers."""

    def __init__(
        self, *, keeping: Keeping, arriving: Arriving, clock: Clock, uploads: Uploads, keys: ExposureKeys
    ) -> None:
        """Keep by `keeping` what `keys` allow to be kept."""
        self._feeds = Feeds(
            keeping=keeping,
            arriving=arriving,
            clock=clock,
            uploads=uploads,
            redaction=keys.redaction,
            quarantine=keys.quarantine,
        )
        self._approvals = Approvals(keeping=keeping, arriving=arriving, clock=clock, key=keys.approval)

    async def answer(self, source: Source | None, path: str, scope: Scope, receive: Receive) -> Outcome | Gone:
        """Return what to answer to a request for `source`, or for a link below its path."""
        is_post = scope["method"] == "POST"
        if not path.startswith(approvals.PATH):
            if source is None or not is_post:
                return "wrong_method", answers.WRONG_METHOD
            return await self._feeds.answer(source, scope.get("query_string", b""), dict(scope["headers"]), receive)
        token = path.removeprefix(approvals.PATH)
        if not token and is_post:
            return await self._approvals.answer(source, dict(scope["headers"]), receive)
        if token.startswith("/") and scope["method"] in {"GET", "HEAD"}:
            return self._approvals.shown(token[1:])
        if token.startswith("/") or not token:
            return "wrong_method", approvals.WRONG_METHOD
        return "not_found", answers.NOT_FOUND
