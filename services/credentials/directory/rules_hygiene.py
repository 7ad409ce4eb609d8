"""What is wrong with a client's accounts before anything happens to them. Pure: accounts, policy and clock in.

Sources: the playbook's step 7 (baseline: second factor, privileged accounts, shared admin credentials, break-glass
profiles, standard offboarding); Microsoft Learn, "Manage emergency access accounts" (two or more, tested every 90 days,
their use watched).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from contracts.events.credential import AccountKind
from services.credentials.directory import rules_identity
from services.credentials.directory.rules_identity import Key
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Identity

BREAK_GLASS_LEAST: Final = 2
USE_IS_NEWS: Final = timedelta(days=1)
"""So long after a break-glass account was used somebody should know of it."""

BREAK_GLASS: Final = "break-glass accounts"
"""What a finding is about that is about none in particular."""

ABOUT_CHARACTERS: Final = 512
WHY_CHARACTERS: Final = 1000
POWERS_SHOWN: Final = 5


class Monitor(StrEnum):
    """What is watched. A client's policy can switch each off by this name."""

    NO_MFA = "no_mfa"
    PRIVILEGED = "privileged"
    SHARED_ADMIN = "shared_admin"
    BREAK_GLASS_MISSING = "break_glass_missing"
    BREAK_GLASS_UNTESTED = "break_glass_untested"
    BREAK_GLASS_UNMONITORED = "break_glass_unmonitored"
    BREAK_GLASS_USED = "break_glass_used"
    OFFBOARDED_ALIVE = "offboarded_alive"
    OFFBOARDING_OPEN = "offboarding_open"


Subject = tuple[Monitor, str]
"""A monitor, and what it found something about."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A monitor fails for an account or a client. `why` says it in words that do not change from day to day."""

    monitor: Monitor
    about: str
    why: str

    @property
    def subject(self) -> Subject:
        """Return what makes it the same finding tomorrow."""
        return self.monitor, self.about


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaver:
    """Somebody who leaves: the accounts that were theirs, and what of the checklist is not done."""

    login: str
    accounts: frozenset[Key]
    leaves_at: datetime
    open_items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A finding that was not there before, or is there no longer."""

    subject: Subject
    failing: bool
    why: str


def findings(
    identities: Sequence[Identity],
    leavers: Iterable[Leaver],
    policy: GuardPolicy,
    *,
    shows_use: Collection[str],
    now: datetime,
) -> list[Finding]:
    """Return what fails now, sorted, each subject once.

    `identities` are at least those that have power, are no persons, show no second factor or are a leaver's.
    `shows_use` are the directories that tell when accounts were last used.
    """
    if not policy.hygiene.enabled:
        return []
    known = [rules_identity.weighed(each, policy) for each in identities]
    enabled = [each for each in known if each.account.enabled]
    found = [
        *_without_second_factor(enabled),
        *_with_power(enabled, policy),
        *_break_glass(known, policy, shows_use, now),
        *_leavers(enabled, leavers, policy, now),
    ]
    wanted = {each.subject: each for each in reversed(found) if each.monitor not in policy.hygiene.off}
    return [wanted[subject] for subject in sorted(wanted)]


def changes(before: Mapping[Subject, bool], found: Sequence[Finding]) -> list[Change]:
    """Return what is different from `before`, which says of each subject that was ever found whether it failed."""
    failing = {each.subject for each in found}
    new = [
        Change(subject=each.subject, failing=True, why=each.why)
        for each in found
        if not before.get(each.subject, False)
    ]
    over = sorted(subject for subject, failed in before.items() if failed and subject not in failing)
    return new + [Change(subject=each, failing=False, why="it is found no longer") for each in over]


def _without_second_factor(enabled: Iterable[Identity]) -> Iterator[Finding]:
    asked = [each for each in enabled if each.kind in {AccountKind.PERSON, AccountKind.UNKNOWN}]
    registered = {about(each) for each in asked if each.account.mfa}
    for each in asked:
        if each.account.mfa is False and about(each) not in registered:
            yield _finding(Monitor.NO_MFA, each, "no second factor is registered: the password alone lets anybody in")


def _with_power(enabled: Iterable[Identity], policy: GuardPolicy) -> Iterator[Finding]:
    for each in enabled:
        if not each.privileged or each.kind is AccountKind.BREAK_GLASS:
            continue
        power = _named(rules_identity.powers(each.account, policy))
        if each.kind is AccountKind.SHARED:
            yield _finding(Monitor.SHARED_ADMIN, each, f"several people share it, and it has power: {power}")
        if not rules_identity.is_named(each.account, policy.hygiene.privileged_known):
            whose = (
                "our own account has more power than it needs" if each.kind is AccountKind.CONNECTOR else "has power"
            )
            yield _finding(Monitor.PRIVILEGED, each, f"{whose}, and nobody listed it as one that should: {power}")


def _break_glass(
    known: Sequence[Identity], policy: GuardPolicy, shows_use: Collection[str], now: datetime
) -> Iterator[Finding]:
    glasses = [each for each in known if each.kind is AccountKind.BREAK_GLASS]
    ready = {about(each) for each in glasses if each.account.enabled}
    if len(ready) < BREAK_GLASS_LEAST:
        why = f"{len(ready) or 'none'} of them enabled; {BREAK_GLASS_LEAST} are the least that lets people in again"
        yield Finding(Monitor.BREAK_GLASS_MISSING, BREAK_GLASS, why)
    for name in sorted(policy.break_glass):
        if not any(rules_identity.is_named(each.account, [name]) for each in known):
            why = "the client lists it, but no directory that we read shows it: nobody would see it used"
            yield Finding(Monitor.BREAK_GLASS_UNMONITORED, rules_identity.login_of(name)[:ABOUT_CHARACTERS], why)
    for each in glasses:
        if each.account.enabled:
            yield from _use_of(each, policy, shows_use, now)


def _use_of(each: Identity, policy: GuardPolicy, shows_use: Collection[str], now: datetime) -> Iterator[Finding]:
    used_at = each.account.last_used_at
    if each.directory not in shows_use:
        why = "its directory does not tell when accounts are used: nobody would see it"
        yield _finding(Monitor.BREAK_GLASS_UNMONITORED, each, why)
    elif used_at is None:
        yield _finding(Monitor.BREAK_GLASS_UNTESTED, each, "it was never signed in with: nobody knows that it works")
    elif now - used_at > timedelta(days=policy.hygiene.break_glass_days):
        days = policy.hygiene.break_glass_days
        why = f"last signed in with on {used_at:%Y-%m-%d}, more than {days} days ago: nobody knows that it still works"
        yield _finding(Monitor.BREAK_GLASS_UNTESTED, each, why)
    elif now - used_at <= USE_IS_NEWS:
        why = f"somebody signed in with it on {used_at:%Y-%m-%d at %H:%M} UTC: was that you, or a test?"
        yield _finding(Monitor.BREAK_GLASS_USED, each, why)


def _leavers(
    enabled: Iterable[Identity], leavers: Iterable[Leaver], policy: GuardPolicy, now: datetime
) -> Iterator[Finding]:
    alive = {(each.directory, each.object_id) for each in enabled}
    alive_logins = {login: each for each in enabled for login in map(rules_identity.login_of, each.account.logins)}
    for leaver in leavers:
        if now < leaver.leaves_at:
            continue
        left = f"left on {leaver.leaves_at:%Y-%m-%d}"
        if leaver.accounts & alive or leaver.login in alive_logins:
            yield Finding(Monitor.OFFBOARDED_ALIVE, leaver.login, f"{left}, and the account is still enabled")
        late_at = leaver.leaves_at + timedelta(days=policy.hygiene.offboarding_days)
        if leaver.open_items and now >= late_at:
            why = f"{left}, and this is not done: {'; '.join(leaver.open_items)}"
            yield Finding(Monitor.OFFBOARDING_OPEN, leaver.login, why[:WHY_CHARACTERS])


def about(identity: Identity) -> str:
    """Return by what name people know an account: its first login, else its immutable id."""
    name = next((login for login in identity.account.logins if login), identity.object_id)
    return rules_identity.login_of(name)[:ABOUT_CHARACTERS]


def _finding(monitor: Monitor, identity: Identity, why: str) -> Finding:
    return Finding(monitor, about(identity), why[:WHY_CHARACTERS])


def _named(powers: Sequence[str]) -> str:
    if not powers:
        return "it is protected as an administrator's"
    more = f" and {len(powers) - POWERS_SHOWN} more" if len(powers) > POWERS_SHOWN else ""
    return ", ".join(powers[:POWERS_SHOWN]) + more
