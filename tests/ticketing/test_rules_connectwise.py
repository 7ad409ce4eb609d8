"""What is written into ConnectWise can be found again, and no text of a customer's becomes a condition of its own."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import ids
from services.ticketing.adapters import rules_connectwise as rules
from simulators.connectwise_conditions import Unreadable, parsed
from tests.builders import ACME

KEY = ids.ticket_key(ACME, "patch_failed", "x", 1)
MARKER = f"{KEY}/3/append/5d2f0a4e-0000-4000-8000-000000000000"


@pytest.mark.parametrize("text", ["ACME", "Acme & Co.", "50% off (Ltd)", "Über GmbH", KEY, "a or 1=1", "%", "*"])
def test_a_plain_text_is_quoted(text: str) -> None:
    assert rules.quoted(text) == f'"{text}"'


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('x" or identifier!="', id="a quote that ends the text"),
        pytest.param("x' or 1=1", id="the other quote"),
        pytest.param("x\\", id="a backslash that takes the quote with it"),
        pytest.param("a\nb", id="a line break"),
        pytest.param("a\x00", id="a zero"),
        pytest.param("a\u202eb", id="a mark that turns the text round"),
        pytest.param("\ud800", id="half a character"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_could_end_the_text_is_not_quoted(text: str) -> None:
    assert rules.quoted(text) is None


def _ends_at(conditions: str, *, escapes: bool, doubles: bool) -> int:
    """Return where the first quoted text ends, for a reader to whom `\\"` or `""` may stand for a quote."""
    at = conditions.index('"') + 1
    while at < len(conditions):
        pair = conditions[at : at + 2]
        if (escapes and pair[0] == "\\") or (doubles and pair == '""'):
            at += 2
        elif pair[0] == '"':
            return at
        else:
            at += 1
    return at


@given(st.text())
def test_no_text_leaves_its_quotes_however_quotes_are_escaped(text: str) -> None:
    value = rules.quoted(text)
    if value is None:
        return
    conditions = f"identifier={value} and deletedFlag=false"
    end = len(f"identifier={value}") - 1

    assert {_ends_at(conditions, escapes=e, doubles=d) for e in (False, True) for d in (False, True)} == {end}


@given(st.text())
def test_a_condition_means_this_very_text(text: str) -> None:
    value = rules.quoted(text)
    if value is None:
        return
    test = parsed(f"identifier={value} and deletedFlag=false")

    assert test({"identifier": text, "deletedFlag": False})
    assert not test({"identifier": f"{text}x", "deletedFlag": False})
    assert not test({"identifier": text, "deletedFlag": True})


def test_the_reader_of_these_tests_sees_an_injection() -> None:
    assert parsed('identifier="x" or identifier!="" and deletedFlag=false')({"identifier": "y", "deletedFlag": False})
    with pytest.raises(Unreadable):
        parsed('identifier="x" y"')


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        pytest.param("Update fails", "Update fails", id="short"),
        pytest.param("x" * 100, "x" * 100, id="as long as may be"),
        pytest.param("x" * 101, "x" * 99 + "…", id="one too long"),
        pytest.param("x" * 98 + " yyy", "x" * 98 + "…", id="no blank before the cut"),
        pytest.param("😀" * 60, "😀" * 49 + "…", id="what counts twice in UTF-16"),
        pytest.param("two\n lines", "two lines", id="two lines"),
        pytest.param("  ", KEY, id="no title at all"),
    ],
)
def test_a_summary_has_room(title: str, summary: str) -> None:
    assert rules.summary_of(title, KEY) == summary


@given(st.text())
def test_every_summary_is_1_to_100_characters_long(title: str) -> None:
    summary = rules.summary_of(title.encode(errors="ignore").decode(), KEY)

    assert 1 <= len(summary.encode("utf-16-le")) // 2 <= 100


@given(st.text())
def test_a_marked_note_is_found_whatever_it_says(text: str) -> None:
    assert rules.marker_of(rules.marked(text, MARKER)) == MARKER
    assert rules.marker_of(rules.marked(text, MARKER).replace("\n", "\r\n") + " \r\n") == MARKER


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(None, id="no text"),
        pytest.param("", id="empty"),
        pytest.param(f"> {rules.MARK}{MARKER}", id="quoted in a mail"),
        pytest.param(f"{rules.MARK}{MARKER}\n\nThanks, Jane", id="answered below"),
        pytest.param(f"{rules.MARK}two words", id="no marker"),
        pytest.param(rules.marked("x", MARKER)[:-80], id="cut off"),
    ],
)
def test_other_notes_have_no_marker(text: str | None) -> None:
    assert rules.marker_of(text) != MARKER


@pytest.mark.parametrize(
    ("marker", "is_open", "is_done"),
    [
        pytest.param(f"{KEY}/2/append/e", False, True, id="a note needs no status"),
        pytest.param(f"{KEY}/2/resolve/e", False, True, id="closed"),
        pytest.param(f"{KEY}/2/resolve/e", True, False, id="announced, and not closed yet"),
        pytest.param(f"{KEY}/2/reopen/e", True, True, id="opened"),
        pytest.param(f"{KEY}/2/reopen/e", False, False, id="announced, and not opened yet"),
        pytest.param(f"{KEY}/2", False, True, id="the form before"),
    ],
)
def test_an_act_is_done_when_its_status_has_followed(marker: str, *, is_open: bool, is_done: bool) -> None:
    assert rules.has_taken_effect(marker, is_open=is_open) is is_done


@pytest.mark.parametrize(
    ("marker", "is_it"),
    [
        pytest.param(f"{KEY}/2/append/e", True, id="an act"),
        pytest.param(f"{KEY}0/2/append/e", False, id="of another generation"),
        pytest.param(f"{KEY}/merged/77", False, id="kept"),
        pytest.param(f"{KEY}/merged-into/77", False, id="gave way"),
        pytest.param(rules.copy_marker(KEY, "77", 5), False, id="a copy"),
    ],
)
def test_merges_are_no_acts(marker: str, *, is_it: bool) -> None:
    assert rules.is_of_an_act(marker, KEY) is is_it


@pytest.mark.parametrize(
    ("url", "site"),
    [
        pytest.param("https://na.myconnectwise.net", "https://api-na.myconnectwise.net", id="the page of a cloud"),
        pytest.param("https://EU.myconnectwise.net/", "https://api-eu.myconnectwise.net", id="in capitals"),
        pytest.param("https://api-au.myconnectwise.net", "https://api-au.myconnectwise.net", id="the API already"),
        pytest.param("https://psa.example/x/", "https://psa.example/x", id="a server of one's own"),
        pytest.param("https://na.evil.example", "https://na.evil.example", id="another domain"),
        pytest.param(
            "https://xx.myconnectwise.net", "https://xx.myconnectwise.net", id="a cloud of which nobody knows"
        ),
        pytest.param("http://127.0.0.1:80", "http://127.0.0.1:80", id="this machine"),
    ],
)
def test_the_api_of_a_cloud_has_a_host_of_its_own(url: str, site: str) -> None:
    assert rules.site_of(url) == site


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("v2026_1/", True), ("v4_6_release/", True), ("../", False), ("a/b/", False), ("", False), ("x?y/", False)],
)
def test_a_codebase_is_one_part_of_an_address(text: str, *, is_one: bool) -> None:
    assert rules.is_codebase(text) is is_one


def test_a_moment_is_written_in_utc() -> None:
    at = datetime(2026, 11, 22, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))

    assert rules.since(at) == "[2026-11-21T23:02:03Z]"
    assert parsed(f"lastUpdated>{rules.since(at)}")({"_info": {"lastUpdated": "2026-11-21T23:02:04Z"}})
    assert rules.since(datetime(2026, 1, 1, tzinfo=UTC)) == "[2026-01-01T00:00:00Z]"


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [(None, "Done"), ("closed", "Closed"), ("Cancelled", None)],
    ids=["the first", "by name, whatever its case", "one that is not there"],
)
def test_a_status_is_chosen_among_those_that_fit(wanted: str | None, chosen: str | None) -> None:
    assert rules.chosen_status(["Done", "Closed"], wanted) == chosen


def test_a_note_is_by_who_wrote_it() -> None:
    assert rules.is_by("Patchline", "patchline")
    assert rules.is_by(None, "patchline")
    assert not rules.is_by("jane", "patchline")


@pytest.mark.parametrize(
    ("said", "closed", "is_late"),
    [
        pytest.param("2026-11-22T10:00:01Z", "2026-11-22T10:00:00Z", True, id="after it was closed"),
        pytest.param("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z", True, id="in the same second"),
        pytest.param("2026-11-22T09:59:59Z", "2026-11-22T10:00:00Z", False, id="before"),
        pytest.param("2026-11-22T10:00:01Z", None, False, id="never closed"),
        pytest.param("2026-11-22T10:00:01", "2026-11-22T10:00:00Z", False, id="without a zone"),
        pytest.param("soon", "2026-11-22T10:00:00Z", False, id="no moment"),
    ],
)
def test_a_note_on_a_closed_ticket_is_late(said: str, closed: str | None, *, is_late: bool) -> None:
    assert rules.is_late(said, closed) is is_late
