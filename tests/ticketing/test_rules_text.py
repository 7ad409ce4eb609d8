"""What tickets say."""

from uuid import UUID

import pytest

from services.ticketing.records import (
    About,
    Act,
    Cause,
    Client,
    Intent,
    Kind,
    Label,
    Listing,
    MatterKey,
    Plan,
    Ticket,
    TicketState,
    Told,
)
from services.ticketing.rules_text import lacking_in, one_line, plan, title_of, told_in
from tests.builders import ACME, NOON

ABOUT = About(product="Windows 11", train="24H2", release="2026-11 (KB5070001)", severity="critical")
UNKNOWN = About(product="Example Reader", patch="reader-4.2", kb=None, title="Reader 4.2")
CAUSE = Cause(event_id=UUID(int=7), occurred_at=NOON, received_at=NOON)


def listing(
    device: str,
    *,
    failures: int = 1,
    noted: int | None = None,
    code: str | None = None,
    cleared_as: str | None = None,
    noted_cleared: bool = False,
) -> Listing:
    return Listing(
        label=Label(
            source="rmm/ninjaone/main", device=device, hostname=f"PC-{device}", os_family="windows", tier="server"
        ),
        failures=failures,
        listed_at=NOON,
        code=code,
        noted_failures=noted,
        cleared_as=cleared_as,
        noted_cleared=noted_cleared,
    )


def words(act: Act, *listings: Listing, why: str = "", title: str | None = None) -> Plan:
    ticket = Ticket(
        key="pl-patch_failed-x-g1",
        matter=MatterKey(ACME, Kind.PATCH_FAILED, "r-1"),
        generation=1,
        state=TicketState.OPEN,
        failing=sum(each.cleared_as is None for each in listings),
        last_number=1,
        created_at=NOON,
        title=title,
    )
    intent = Intent(ticket=ticket.key, number=1, tenant=ACME, act=act, attempts=1, why=why, cause=CAUSE)
    devices = [(f"asset-{each.label.device}", each) for each in listings]
    return plan(ticket, devices, intent=intent, about=ABOUT, client=Client("Acme Dental", "ACME-1"))


@pytest.mark.parametrize(
    ("kind", "about", "title"),
    [
        (Kind.PATCH_FAILED, ABOUT, "Windows 11 24H2 2026-11 (KB5070001): update fails at Acme"),
        (Kind.PATCH_FAILED, About(product="macOS", train="15"), "macOS 15: update fails at Acme"),
        (Kind.FAILED_UNCATALOGUED, UNKNOWN, "Reader 4.2 (Example Reader), not in the catalog: update fails at Acme"),
        (Kind.FAILED_UNCATALOGUED, About(kb="5070001"), "KB5070001, not in the catalog: update fails at Acme"),
        (Kind.FAILED_UNCATALOGUED, About(patch="abc"), "abc, not in the catalog: update fails at Acme"),
    ],
)
def test_a_title_names_the_patch_and_the_client(kind: Kind, about: About, title: str) -> None:
    assert title_of(kind, about, "Acme") == title


def test_a_long_title_is_cut() -> None:
    assert len(title_of(Kind.PATCH_FAILED, About(product="x" * 900), "Acme")) == 200


def test_opening_names_each_device_and_what_to_do() -> None:
    opened = words(Act.OPEN, listing("1", code="0x80070070"), listing("2", failures=4, code="-2147"))

    assert opened.title == "Windows 11 24H2 2026-11 (KB5070001): update fails at Acme Dental"
    lines = opened.text.splitlines()
    assert lines[0] == "Windows 11 24H2 2026-11 (KB5070001): update fails at Acme Dental."
    assert lines[2] == "Devices (2):"
    assert lines[3].startswith(
        "- PC-1 (windows, server): failed once, code 0x80070070 (the disk is full). rmm/ninjaone"
    )
    assert lines[4].endswith(": failed 4 times, code -2147. rmm/ninjaone/main, device 2, asset asset-2")
    assert lines[-1] == f"Reference: ticket pl-patch_failed-x-g1, requirement r-1, event {UUID(int=7)}"
    assert (opened.company, opened.severity, opened.devices, opened.failures) == ("ACME-1", "critical", 2, 5)
    assert opened.told == (
        Told(asset="asset-1", failures=1, noted=True, cleared=False),
        Told(asset="asset-2", failures=4, noted=True, cleared=False),
    )


def test_a_note_tells_only_what_is_new() -> None:
    note = words(
        Act.APPEND,
        listing("told", noted=1),
        listing("new"),
        listing("often", failures=12, noted=3),
        listing("gone", noted=1, cleared_as="VERIFIED"),
        listing("long gone", noted=1, cleared_as="VERIFIED", noted_cleared=True),
    )

    blocks = note.text.split("\n\n")
    assert [block.splitlines()[0] for block in blocks[:3]] == ["Failing too (1):", "Still failing (1):", "Cleared (1):"]
    assert blocks[2].splitlines()[1] == "- PC-gone: proven installed"
    assert blocks[3] == "Failing on this ticket now: 3."
    assert [each.asset for each in note.told if each.noted] == ["asset-new", "asset-often"]


@pytest.mark.parametrize(
    "listings",
    [
        pytest.param([listing("a", failures=2, noted=1)], id="a repeat below the next count"),
        pytest.param([listing("a", noted=1), listing("b", noted=1, cleared_as="RETIRED")], id="someone was cleared"),
    ],
)
def test_there_is_nothing_to_say(listings: list[Listing]) -> None:
    note = words(Act.APPEND, *listings)

    assert note.text == ""
    assert not any(each.noted or each.cleared for each in note.told)


def test_resolving_says_how_each_device_was_cleared() -> None:
    resolved = words(
        Act.RESOLVE,
        listing("a", cleared_as="VERIFIED"),
        listing("b", cleared_as="RETIRED"),
        listing("c", cleared_as="EXCEPTED"),
    )

    assert resolved.text.startswith(
        "No device on this ticket is failing any more.\n\n"
        "Cleared (3):\n- PC-a: proven installed\n- PC-b: retired\n- PC-c: excepted\n"
    )


def test_reopening_says_why() -> None:
    reopened = words(Act.REOPEN, listing("a", failures=0), why="PC-a was proven good and is not any more: STALE.")

    assert reopened.text.startswith("Open again.\n\nPC-a was proven good")
    assert "- PC-a (windows, server): not proven installed." in reopened.text


def test_the_title_that_the_ticket_has_stays() -> None:
    assert words(Act.APPEND, listing("a"), title="As it was").title == "As it was"


def test_long_lists_are_counted() -> None:
    opened = words(Act.OPEN, *(listing(f"{number:03}") for number in range(60)))

    assert opened.text.count("- PC-") == 50
    assert "- and 10 more" in opened.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\tc", "a b c"),
        ("  \x1b[31mred\x1b[0m ", "[31mred [0m"),
        ("\u2028x\u200bx", "x x"),
        ("größe ✓", "größe ✓"),
    ],
)
def test_a_customers_text_is_one_line_without_control_characters(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_hostname_cannot_forge_a_line() -> None:
    forged = Label(source="s", device="1", hostname="PC\n- OTHER (windows, server): failed once")

    opened = words(Act.OPEN, Listing(label=forged, failures=1, listed_at=NOON))

    assert [line for line in opened.text.splitlines() if line.startswith("- OTHER")] == []


@pytest.mark.parametrize(
    ("words", "is_told"),
    [
        pytest.param("- PC-1 (windows, server): failed once. rmm, device 1, asset ann@x", True, id="a device"),
        pytest.param("- PC-1: failed once. rmm, device 1, asset\n  ann@x\n\nReference", True, id="in broken lines"),
        pytest.param("- ann@x: no second factor", True, id="an account"),
        pytest.param("- Ann (ann@x): no second factor", True, id="an account with a name"),
        pytest.param("- joann@x: no second factor", False, id="the end of another name"),
        pytest.param("- ann@x.example: no second factor", False, id="the beginning of another name"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_what_a_ticket_names_is_told(words: str, *, is_told: bool) -> None:
    told = Told(asset="ann@x", failures=1, noted=True, cleared=False)
    silent = Told(asset="bob@x", failures=1, noted=False, cleared=True)

    assert told_in(words, [told, silent]) == ((told, silent) if is_told else (silent,))


def test_the_lines_that_a_ticket_lacks_are_those_that_it_says_in_no_form() -> None:
    words = "Title.\n\nThe case was opened: a password\nof Ann leaked.\n\nReference: x"

    assert lacking_in(words, "The case was opened: a password of Ann leaked.\nIt was reset.") == "It was reset."
    assert lacking_in(words, "") == ""
