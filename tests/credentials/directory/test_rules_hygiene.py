"""What is found about a client's accounts before anything happens to them."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from contracts.events.credential import AccountKind
from services.credentials.directory import rules_hygiene
from services.credentials.directory.rules_hygiene import BREAK_GLASS, Change, Finding, Leaver, Monitor
from services.credentials.guard.policy import GuardPolicy, Hygiene
from services.credentials.records import Account, Authority, Identity, Mark
from tests.builders import HOUR, NOON
from tests.credentials.directories import account, identity

DAY = timedelta(days=1)
BASELINE = Hygiene(enabled=True)
GLASSES = [
    identity(account(name, last_used_at=NOON - 10 * DAY, mfa=True)) for name in ("break-glass-1", "break-glass-2")
]


def policy(**said: object) -> GuardPolicy:
    return GuardPolicy(hygiene=BASELINE, **said)


def found(
    *identities: Identity,
    leavers: tuple[Leaver, ...] = (),
    allowed: GuardPolicy | None = None,
    now: datetime = NOON,
    shows_use: frozenset[str] = frozenset({"acme-ad"}),
) -> list[tuple[Monitor, str]]:
    """Return what is found besides two break-glass accounts that are in order."""
    everybody = [*GLASSES, *identities]
    every = rules_hygiene.findings(everybody, leavers, allowed or policy(), shows_use=shows_use, now=now)
    return [each.subject for each in every]


def of(shown: Account, **changes: object) -> Identity:
    return identity(shown, **changes)


KIM = account("kim", mfa=True)
LEFT = Leaver(login="kim@acme.example", accounts=frozenset({("acme-ad", "kim")}), leaves_at=NOON - DAY)


def test_accounts_that_are_in_order_are_none_of_its_business() -> None:
    assert found(of(KIM)) == []


def test_nothing_is_found_where_nobody_bought_it() -> None:
    assert found(of(replace(KIM, mfa=False)), allowed=GuardPolicy()) == []


def test_a_monitor_can_be_switched_off_alone() -> None:
    quiet = GuardPolicy(hygiene=Hygiene(enabled=True, off=frozenset({"no_mfa"})))

    assert found(of(account("kim", mfa=False, privileges=("Domain Admins",))), allowed=quiet) == [
        (Monitor.PRIVILEGED, "kim@acme.example")
    ]


CASES = [
    pytest.param(of(account("kim", mfa=False)), [Monitor.NO_MFA], id="a person without a second factor"),
    pytest.param(of(account("kim", mfa=None)), [], id="a directory that cannot tell"),
    pytest.param(of(account("kim", mfa=False, enabled=False)), [], id="a disabled person without a second factor"),
    pytest.param(of(account("svc-x", mfa=False)), [], id="a program has no second factor"),
    pytest.param(
        of(account("kim", mfa=True, privileges=("Domain Admins",))), [Monitor.PRIVILEGED], id="power nobody listed"
    ),
    pytest.param(
        of(account("kim", mfa=True, marks=frozenset({Mark.ADMIN_COUNT}))),
        [Monitor.PRIVILEGED],
        id="protected as an administrator",
    ),
    pytest.param(of(account("chief", mfa=True, privileges=("Domain Admins",))), [], id="power that is meant"),
    pytest.param(
        of(account("kim", mfa=True, privileges=("Domain Admins",), enabled=False)), [], id="a disabled one has no power"
    ),
    pytest.param(
        of(account("a", "admin@acme.example", privileges=("Domain Admins",))),
        [Monitor.PRIVILEGED, Monitor.SHARED_ADMIN],
        id="power that several people share",
    ),
    pytest.param(
        of(account("us", mfa=True, privileges=("Domain Admins",)), kind=AccountKind.CONNECTOR),
        [Monitor.PRIVILEGED],
        id="our own account with too much power",
    ),
]


@pytest.mark.parametrize(("shown", "monitors"), CASES)
def test_what_is_found_about_one_account(shown: Identity, monitors: list[Monitor]) -> None:
    meant = GuardPolicy(hygiene=Hygiene(enabled=True, privileged_known=frozenset({"Chief@acme.example"})))

    subjects = found(shown, allowed=meant)

    assert subjects == [(monitor, rules_hygiene.about(shown)) for monitor in monitors]


def test_a_second_factor_at_one_copy_of_an_account_is_enough() -> None:
    copy = of(account("c", "kim@acme.example", mfa=True, authority=Authority.SYNCED), directory="acme-entra")

    assert found(of(account("kim", mfa=False)), copy) == []


GLASS_CASES = [
    pytest.param({"last_used_at": NOON - 91 * DAY}, [Monitor.BREAK_GLASS_UNTESTED], id="tested too long ago"),
    pytest.param({"last_used_at": NOON - 89 * DAY}, [], id="tested in time"),
    pytest.param({"last_used_at": None}, [Monitor.BREAK_GLASS_UNTESTED], id="never used"),
    pytest.param({"last_used_at": NOON - HOUR}, [Monitor.BREAK_GLASS_USED], id="used just now"),
    pytest.param({"last_used_at": None, "enabled": False}, [], id="a disabled third one"),
]


@pytest.mark.parametrize(("changes", "monitors"), GLASS_CASES)
def test_what_is_found_about_a_break_glass_account(changes: dict[str, object], monitors: list[Monitor]) -> None:
    third = account("break-glass-3", mfa=True, **changes)

    assert found(of(third)) == [(monitor, "break-glass-3@acme.example") for monitor in monitors]


def test_a_break_glass_account_where_use_is_not_told_is_unmonitored() -> None:
    third = of(account("break-glass-3", mfa=True), directory="acme-ldap")

    assert found(third) == [(Monitor.BREAK_GLASS_UNMONITORED, "break-glass-3@acme.example")]


def test_a_listed_break_glass_account_that_no_directory_shows_is_unmonitored() -> None:
    listed = policy(break_glass=frozenset({"Rescue@Acme.example"}))

    assert found(allowed=listed) == [(Monitor.BREAK_GLASS_UNMONITORED, "rescue@acme.example")]


@pytest.mark.parametrize(("ready", "missing"), [(0, True), (1, True), (2, False)])
def test_a_client_has_two_break_glass_accounts(ready: int, *, missing: bool) -> None:
    every = rules_hygiene.findings(GLASSES[:ready], [], policy(), shows_use={"acme-ad"}, now=NOON)

    assert [each.subject for each in every] == ([(Monitor.BREAK_GLASS_MISSING, BREAK_GLASS)] if missing else [])


LEAVER_CASES = [
    pytest.param(LEFT, of(KIM), [Monitor.OFFBOARDED_ALIVE], id="the account lives after the last day"),
    pytest.param(replace(LEFT, leaves_at=NOON + DAY), of(KIM), [], id="the last day has not come"),
    pytest.param(LEFT, of(replace(KIM, enabled=False)), [], id="the account is disabled"),
    pytest.param(
        LEFT, of(replace(KIM, logins=("renamed@acme.example",))), [Monitor.OFFBOARDED_ALIVE], id="it was renamed"
    ),
    pytest.param(
        LEFT, of(replace(KIM, object_id="new")), [Monitor.OFFBOARDED_ALIVE], id="the login was given to a new account"
    ),
    pytest.param(
        replace(LEFT, leaves_at=NOON - 8 * DAY, open_items=("collect devices",)),
        of(replace(KIM, enabled=False)),
        [Monitor.OFFBOARDING_OPEN],
        id="a week later something is not done",
    ),
    pytest.param(
        replace(LEFT, open_items=("collect devices",)),
        of(replace(KIM, enabled=False)),
        [],
        id="there is still time for the list",
    ),
]


@pytest.mark.parametrize(("leaver", "shown", "monitors"), LEAVER_CASES)
def test_what_is_found_about_who_left(leaver: Leaver, shown: Identity, monitors: list[Monitor]) -> None:
    assert found(shown, leavers=(leaver,)) == [(monitor, "kim@acme.example") for monitor in monitors]


def test_only_what_is_different_is_told() -> None:
    new = Finding(Monitor.NO_MFA, "kim", "none is registered")
    again = Finding(Monitor.NO_MFA, "lee", "none is registered")
    before = {again.subject: True, (Monitor.PRIVILEGED, "ada"): True, (Monitor.PRIVILEGED, "bob"): False}

    assert rules_hygiene.changes(before, [new, again]) == [
        Change(subject=new.subject, failing=True, why="none is registered"),
        Change(subject=(Monitor.PRIVILEGED, "ada"), failing=False, why="it is found no longer"),
    ]


def test_what_came_back_is_told_again() -> None:
    back = Finding(Monitor.NO_MFA, "kim", "none is registered")

    assert [each.failing for each in rules_hygiene.changes({back.subject: False}, [back])] == [True]
