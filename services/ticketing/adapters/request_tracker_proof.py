"""The proof that Request Tracker has the queue and the custom fields that the settings name, before it is believed.

A search by a field that does not exist finds nothing and says nothing: every ticket would look new, or closed by a
person. A new ticket with such a field loses it without a word. So nothing is looked for, and nothing is made, without
a proof; and what a search does not find is believed beside a fresh one only.
"""

from typing import Final

from chassis.http import Refused, Unavailable
from chassis.turns import uptime
from services.ticketing.adapters.request_tracker_wire import Queue, Wire

TRUSTED_SECONDS: Final = 300.0
FRESH_SECONDS: Final = 10.0
"""What was not found is believed if the fields were seen so lately."""

LOOK_AGAIN_SECONDS: Final = 30.0
DROPPED_SECONDS: Final = 600.0
"""After a ticket was made without its key no other one is made for so long, whatever the fields look like."""


class Proof:
    """What was last proven."""

    def __init__(self, wire: Wire) -> None:
        """Know nothing yet."""
        self._wire = wire
        self._queue: Queue | None = None
        self._proven_at = 0.0
        self._dropped: tuple[float, str] | None = None

    async def hold(self, *, seconds: float = TRUSTED_SECONDS) -> Queue:
        """Return the queue, proven within so many `seconds`.

        Raises:
            Unavailable: the queue or a field is not there, with its name; or RT cannot be asked.
        """
        if self._queue is None or uptime() - self._proven_at > seconds:
            self._queue = None
            self._queue = await self._proven()
            self._proven_at = uptime()
        return self._queue

    async def _proven(self) -> Queue:
        names = self._wire.names
        try:
            queue = await self._wire.queue()
        except Refused as error:
            if error.status not in {403, 404}:
                raise
            raise _not_set_up(
                f"there is no queue {names.queue!r} (PATCHLINE_RT_QUEUE) that our user may see"
            ) from error
        there = {each.name for each in queue.fields}
        wanted = {"PATCHLINE_RT_KEY_FIELD": names.key_field, "PATCHLINE_RT_CLIENT_FIELD": names.client_field}
        missing = [f"{name!r} ({setting})" for setting, name in wanted.items() if name not in there]
        if missing:
            raise _not_set_up(
                f"queue {names.queue!r} has no custom field {' and no '.join(missing)} that our user may see; "
                "without it tickets would be made twice"
            )
        return queue

    def check_creation(self) -> None:
        """Keep new tickets back for a while after one lost a field.

        Raises:
            Unavailable: with the field's name.
        """
        if self._dropped is None:
            return
        until, reason = self._dropped
        if (left := until - uptime()) > 0:
            raise Unavailable(reason, retry_after_seconds=left)
        self._dropped = None

    def dropped(self, reason: str) -> None:
        """Remember that a new ticket does not show what was written."""
        self._queue = None
        self._dropped = (uptime() + DROPPED_SECONDS, f"no ticket is made for now: {reason}")


def _not_set_up(reason: str) -> Unavailable:
    return Unavailable(f"Request Tracker is not set up: {reason}", retry_after_seconds=LOOK_AGAIN_SECONDS)
