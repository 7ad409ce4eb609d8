"""A whole batch of facts folded over what is kept: which tickets, listings and intents there are afterwards. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from contracts.events.obligation import State
from contracts.topics import Lane
from services.ticketing import rules
from services.ticketing.records import About, Cause, Kind, Listing, MatterKey, Ticket
from services.ticketing.rules import Finding, Move, Verdict
from services.ticketing.rules_cases import Chapter, Turn
from services.ticketing.rules_desk import Clerk, Desk
from services.ticketing.standing import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogued:
    """The catalog came to know a patch that failed on one device: from now on its failure belongs to `home`.

    `about` has the requirement's words. On another device the same patch may turn out to be another requirement.
    """

    cause: Cause
    matter: MatterKey
    home: MatterKey
    asset: str
    sequence: int
    about: About


Fact = Finding | Catalogued | Chapter

TOGETHER: Final = timedelta(seconds=10)
"""One deadline comes for thousands of machines at once: the ticket opens at once and names the rest in a few notes."""


def folded(before: Desk, facts: Iterable[Fact], *, now: datetime, look_every: timedelta) -> Desk:
    """Return the desk after `facts`, in their order; `before` is left as it is.

    `look_every` is how often a ticket is looked at for nothing but repeats.
    """
    fold = _Fold(Clerk(before.copy(), now), look_every)
    for fact in facts:
        match fact:
            case Finding():
                fold.judge(fact)
            case Catalogued():
                fold.link(fact)
            case Chapter():
                fold.go_on(fact)
            case _:
                assert_never(fact)
    return fold.clerk.desk


def is_late(before: Desk, fact: Fact) -> bool:
    """Return whether a word as new as `fact`, or newer, was known already of its device and matter."""
    known = before.standings.get((fact.matter, fact.asset))
    return known is not None and fact.sequence <= known.sequence


def closed_by_person(before: Desk, key: str, *, cause: Cause, now: datetime) -> Desk:
    """Return the desk after a person closed ticket `key`: what failed since goes to the next generation.

    `before` has all listings of the ticket, and the matter whose newest ticket it is, if there is one.
    """
    clerk = Clerk(before.copy(), now)
    was_open = rules.is_open(before.tickets[key])
    clerk.close(key)
    owners = sorted(each for each, matter in before.matters.items() if matter.ticket == key)
    news = [(asset, listing) for asset, listing in before.listings_of(key) if rules.has_news(listing)]
    if owners and news and was_open:
        home = owners[-1]  # the requirement, where it adopted the ticket of an unknown patch
        following = clerk.open_next(home, before.matters[home].about, cause)
        for owner in owners[:-1]:
            clerk.follow(owner, following.key)
        for asset, listing in news:
            _copy_listing(clerk, asset, listing, new=following.key)
            clerk.take_off(key, asset, cleared_as=rules.MOVED, release=listing.release)
    return clerk.desk


def told_further(before: Desk, key: str, *, cause: Cause, why: str, now: datetime) -> Desk:
    """Return the desk after ticket `key` was found to tell less than is known: the rest is told next, if it is open."""
    clerk = Clerk(before.copy(), now)
    if rules.is_open(before.tickets[key]):
        clerk.tell(key, cause, why=why)
    return clerk.desk


OPENED_AGAIN: Final = "A person opened this ticket again: it is kept up to date from now on."


def reopened_by_person(before: Desk, key: str, *, cause: Cause, now: datetime) -> Desk:
    """Return the desk after a person opened ticket `key` again: the newest of its matter is kept up to date.

    Whoever opens one that another generation follows is left alone with it. `before` has all listings of the ticket,
    the matter whose newest ticket it is, if there is one, and the standings of both.
    """
    clerk = Clerk(before.copy(), now)
    clerk.open_again(key)
    owners = sorted(each for each, matter in before.matters.items() if matter.ticket == key)
    if not owners:
        return clerk.desk
    for asset, listing in before.listings_of(key):
        ended_as = _ended_as(before, reversed(owners), asset)  # while it was closed
        if listing.cleared_as is None and ended_as is not None:
            clerk.take_off(key, asset, cleared_as=ended_as, release=listing.release)
    clerk.tell(key, cause, why=OPENED_AGAIN)
    return clerk.desk


def _ended_as(desk: Desk, matters: Iterable[MatterKey], asset: str) -> str | None:
    """Return how the first of these matters ended there; `None`: none did, or the asset fails in one of them."""
    standings = (desk.standings.get((each, asset)) for each in matters)
    states = [standing.state for standing in standings if standing is not None]
    return None if State.FAILED in states else next((state for state in states if state in rules.ENDS), None)


@dataclass(slots=True)
class _Fold:
    clerk: Clerk
    look_every: timedelta

    def judge(self, finding: Finding) -> None:
        """Do to the newest ticket what one finding asks for; a late or repeated one changes nothing."""
        desk = self.clerk.desk
        if not self._is_newest(finding.matter, finding.asset, finding.standing, is_repeat=finding.is_repeat):
            return
        ticket = desk.newest_ticket(finding.matter)
        if ticket is None:
            self._without_ticket(finding)
            return
        listing = desk.listings.get((ticket.key, finding.asset))
        if finding.continues_on is not None and rules.is_handed_over(ticket.state, listing, finding):
            self._hand_over(ticket, finding, finding.continues_on)
        else:
            self._with_ticket(ticket, listing, finding)

    def _hand_over(self, ticket: Ticket, finding: Finding, other: str) -> None:
        """Let the machine go on as `other` on the same ticket, unless it is well there."""
        if finding.continues_as in {Verdict.PROVEN, Verdict.GONE}:
            release = finding.about.release
            self.clerk.take_off(ticket.key, finding.asset, cleared_as=rules.ANOTHER_ASSET, release=release)
        else:
            self.clerk.hand_over(ticket.key, finding.asset, other, cleared_as=rules.ANOTHER_ASSET)
        if self.clerk.desk.tickets[ticket.key].failing == 0:
            self.clerk.resolve(ticket.key, finding.cause)

    def _fails_otherwise(self, ticket: Ticket, matter: MatterKey, asset: str) -> bool:
        """Return whether the asset fails on the ticket for its other matter: it adopted, or was adopted."""
        others = {ticket.matter, ticket.home or ticket.matter} - {matter}
        standings = (self.clerk.desk.standings.get((each, asset)) for each in others)
        return any(standing is not None and standing.state == State.FAILED for standing in standings)

    def _without_ticket(self, finding: Finding) -> None:
        if rules.move(None, None, finding) is Move.OPEN:
            ticket = self.clerk.open_next(finding.matter, finding.about, finding.cause)
            self.clerk.put_on(ticket.key, finding.asset, _listing_of(finding, self.clerk.now))

    def _with_ticket(self, ticket: Ticket, listing: Listing | None, finding: Finding) -> None:
        match rules.move(ticket.state, listing, finding):
            case Move.NOTHING:
                return
            case Move.OPEN:
                following = self.clerk.open_next(finding.matter, finding.about, finding.cause)
                self.clerk.put_on(following.key, finding.asset, _listing_of(finding, self.clerk.now))
            case Move.LIST:
                self.clerk.put_on(ticket.key, finding.asset, _listing_of(finding, self.clerk.now))
                self.clerk.tell(
                    ticket.key, finding.cause, why=_undoing(listing, finding), not_before=self._gathered_until(finding)
                )
            case Move.COUNT:
                self._count(ticket, listing, finding)
            case Move.CLEAR:
                self._clear(ticket, finding)
            case Move.REOPEN:
                self.clerk.put_on(ticket.key, finding.asset, _listing_of(finding, self.clerk.now))
                self.clerk.reopen(ticket.key, finding.cause, why=_undoing(listing, finding))
            case move:
                assert_never(move)

    def _gathered_until(self, finding: Finding) -> datetime | None:
        """Return until when a note waits for others like it; `None`: as long as its lane does."""
        is_gathered = finding.matter.kind is Kind.PATCH_OVERDUE and finding.cause.lane is Lane.LIVE
        return self.clerk.now + TOGETHER if is_gathered else None

    def _count(self, ticket: Ticket, listing: Listing | None, finding: Finding) -> None:
        """Count a repeat. The tracker is told at some counts, and otherwise only looked at now and then."""
        fresh = _listing_of(finding, self.clerk.now)
        before = listing or fresh
        self.clerk.desk.listings[ticket.key, finding.asset] = replace(
            before,
            label=fresh.label,
            failures=fresh.failures,
            code=fresh.code or before.code,
            release=fresh.release,
        )
        due_at = max(self.clerk.now, (ticket.looked_at or ticket.created_at) + self.look_every)
        if rules.is_worth_a_note(before.noted_failures or 0, fresh.failures):
            due_at = self.clerk.now
        self.clerk.tell(ticket.key, finding.cause, not_before=due_at)

    def _clear(self, ticket: Ticket, finding: Finding) -> None:
        """Take a device off, unless it fails there as the unknown patch or as the requirement too."""
        if self._fails_otherwise(ticket, finding.matter, finding.asset):
            return
        self.clerk.take_off(ticket.key, finding.asset, cleared_as=finding.state, release=finding.about.release)
        if self.clerk.desk.tickets[ticket.key].failing == 0:
            self.clerk.resolve(ticket.key, finding.cause)

    def link(self, fact: Catalogued) -> None:
        """Let a device's failure go on as the requirement's: in the same ticket if possible, never in two."""
        desk = self.clerk.desk
        if not self._is_newest(fact.matter, fact.asset, _catalogued(fact)):
            return
        ticket = desk.newest_ticket(fact.matter)
        listing = None if ticket is None else desk.listings.get((ticket.key, fact.asset))
        if ticket is None or listing is None or listing.cleared_as is not None or not rules.is_open(ticket):
            return
        current = desk.newest_ticket(fact.home)
        named = f"{fact.about.product}, {fact.about.train}"
        if current is not None and rules.is_open(current):
            self._continue(fact, listing, old=ticket, new=current)
        elif ticket.adopted_by is None:
            self.clerk.adopt(fact.home, fact.about, ticket.key)
            why = f"The catalog knows this patch now: {named}. This ticket stays the one for it."
            self.clerk.tell(ticket.key, fact.cause, why=why)
        else:
            self._continue(fact, listing, old=ticket, new=self.clerk.open_next(fact.home, fact.about, fact.cause))

    def _continue(self, fact: Catalogued, listing: Listing, *, old: Ticket, new: Ticket) -> None:
        """Take a device from one ticket to another, unless both are the same.

        It stays on the first one too while it fails there as the requirement that adopted that.
        """
        if old.key == new.key:
            return
        _copy_listing(self.clerk, fact.asset, listing, new=new.key)
        self.clerk.tell(new.key, fact.cause)
        if old.home != fact.home and self._fails_otherwise(old, fact.matter, fact.asset):
            return
        self.clerk.take_off(old.key, fact.asset, cleared_as=rules.MOVED, release=listing.release)
        if self.clerk.desk.tickets[old.key].failing == 0:
            why = f"The catalog knows this patch now: it continues in ticket {new.external or new.key}."
            self.clerk.resolve(old.key, fact.cause, why=why)

    def go_on(self, chapter: Chapter) -> None:
        """Add a chapter to the ticket of its story; where a person closed that, only what needs somebody opens one."""
        ticket = self.clerk.desk.newest_ticket(chapter.matter)
        match chapter.turn, rules.is_open(ticket):
            case (Turn.OPEN | Turn.RAISE, False):
                self.clerk.open_next(chapter.matter, chapter.about, chapter.cause, why=chapter.words)
            case (Turn.OPEN | Turn.RAISE | Turn.TELL, True) if ticket is not None:
                self.clerk.tell(ticket.key, chapter.cause, why=chapter.words)
            case (Turn.RESOLVE, True) if ticket is not None:
                self.clerk.resolve(ticket.key, chapter.cause, why=chapter.words)
            case _:
                return

    def _is_newest(self, matter: MatterKey, asset: str, standing: Standing, *, is_repeat: bool = False) -> bool:
        """Keep the newest word on a device and return whether this is it; one that was heard before seldom is."""
        known = self.clerk.desk.standings.get((matter, asset))
        if known is not None and (standing.sequence <= known.sequence or (is_repeat and not standing.overturns(known))):
            return False
        self.clerk.desk.standings[matter, asset] = standing
        return True


def _copy_listing(clerk: Clerk, asset: str, listing: Listing, *, new: str) -> None:
    there = clerk.desk.listings.get((new, asset))
    if there is None or there.cleared_as is not None:
        clerk.put_on(new, asset, replace(listing, checked_failures=0))


def _catalogued(fact: Catalogued) -> Standing:
    return Standing(fact.sequence, "CATALOGUED", fact.cause.received_at, fact.cause.occurred_at)


def _listing_of(finding: Finding, now: datetime) -> Listing:
    return Listing(
        label=finding.label,
        failures=finding.failures,
        listed_at=now,
        release=finding.about.release,
        code=finding.code,
    )


def _undoing(listing: Listing | None, finding: Finding) -> str:
    """Return the sentence for a proof or a merge that was undone; nothing to say for any other device."""
    if listing is None or not rules.is_undone(listing, finding):
        return ""
    name = finding.label.hostname or finding.label.device
    if listing.cleared_as == rules.ANOTHER_ASSET:
        return f"{name} is an asset of its own again, and it fails."
    return f"{name} was proven good and is not any more: {finding.state}."
