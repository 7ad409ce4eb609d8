"""One trial of `patchline source test`: an example, what it became, what the door said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.markup import escape

from contracts.events.event import Event
from services.gateway.registry import examples
from services.gateway.registry.examples import Became, Example
from services.gateway.vendors.confirmation import Confirmed

_IN_WORDS: Final = {True: "yes", False: "NO", None: ""}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the door said: the status, and the raw id under which the delivery is kept."""

    status: int
    raw_id: str | None

    @property
    def is_accepted(self) -> bool:
        """Return whether the door has it."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Trial:
    """An example and what came of it; how the adapter that read it was `confirmed`. `answer`: it was sent."""

    confirmed: Confirmed | None
    example: Example
    became: Became
    answer: Answer | None = None

    @property
    def is_expected(self) -> bool | None:
        """Return whether it became what its file says; `None`: nobody has said."""
        return examples.is_expected(self.example, self.became)

    @property
    def is_good(self) -> bool:
        """Return whether nothing is wrong with it."""
        return self.is_expected is not False and (self.answer is None or self.answer.is_accepted)

    def for_machines(self) -> dict[str, object]:
        """Return all of it."""
        confirmed = self.confirmed
        return {
            "example": self.example.name,
            "channel": self.example.channel,
            "becomes": self.became.outcomes,
            "expected": self.example.becomes,
            "as_expected": self.is_expected,
            "events": [
                {"type": each.TYPE, "data": each.model_dump(mode="json", exclude_none=True)}
                for each in self.became.events
            ],
            "confirmed_by": None if confirmed is None else confirmed.by,
            "unconfirmed": () if confirmed is None else confirmed.unconfirmed,
            "status": None if self.answer is None else self.answer.status,
            "raw_id": None if self.answer is None else self.answer.raw_id,
        }

    def for_people(self) -> dict[str, object]:
        """Return what fits a terminal. What a vendor wrote is text, also where it looks like our tables' markup."""
        sent = {} if self.answer is None else {"answer": self.answer.status, "raw_id": self.answer.raw_id}
        return {
            "example": self.example.name,
            "becomes": escape("\n".join(self.became.outcomes)) or "nothing",
            "about": escape("\n".join(_about(each) for each in self.became.events)),
            "as_expected": _IN_WORDS[self.is_expected],
            **sent,
        }


def confirmations(trials: Sequence[Trial]) -> list[str]:
    """Return one line per channel: how its adapter was confirmed, and what is not."""
    found = {each.example.channel: each.confirmed for each in trials}
    return [
        f"{channel}: confirmed by {confirmed.by} ({confirmed.source})."
        + (f" Unconfirmed: {'; '.join(confirmed.unconfirmed)}." if confirmed.unconfirmed else "")
        for channel, confirmed in sorted(found.items())
        if confirmed is not None
    ]


def _about(event: Event) -> str:
    told = event.model_dump(mode="json", exclude_none=True)
    patch = told.get("patch")
    named = (
        told.get("login"),
        told.get("device"),
        told.get("number"),
        patch.get("patch") if isinstance(patch, dict) else None,
    )
    return " ".join(str(each) for each in (*named, told.get("kind"), told.get("code")) if each is not None)
