"""Agents' inventories become events, the same in both forms; what is odd is left out, what is none is refused."""

import codecs
import gzip
import json
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import encode
from contracts.events import rmm
from contracts.events.event import OsFamily
from contracts.topics import Lane
from services.gateway.translation import rules_translate
from services.gateway.vendors import agent
from services.gateway.vendors.agent import PART_BYTES, translated
from tests.builders import ACME, delivery
from tests.gateway.agent_reports import (
    CONTENT,
    DEVICE,
    PROLOG,
    RECEIVED,
    facts_of,
    json_report,
    listing_of,
    packed,
    said,
    translation,
    xml_report,
)

MIB = 1_048_576
BUREAU = xml_report({"hardware": {"name": "büro"}})


@pytest.mark.parametrize("body", [json_report(), xml_report()], ids=["JSON", "XML"])
def test_an_inventory_tells_the_device_its_boot_and_its_applications(body: object) -> None:
    updated, booted, listed = said(body)

    assert updated.event == rmm.DeviceUpdated(
        device=DEVICE,
        organisation="acme",
        facts=rmm.DeviceFacts(
            hostname="ws-7",
            os_family=OsFamily.LINUX,
            os_name="Debian GNU/Linux 12 (bookworm)",
            os_version="12.8",
            os_build="6.1.0-28-amd64",
            serial="SN-7",
        ),
    )
    assert booted.event == rmm.DeviceBooted(
        device=DEVICE,
        organisation="acme",
        booted_at=datetime(2026, 11, 9, 7, 15, tzinfo=UTC),
        os_build="6.1.0-28-amd64",
    )
    assert isinstance(listed.event, rmm.ApplicationsListed)
    assert listed.event.complete
    assert listed.event.applications == (
        rmm.Application(name="bash", version="5.2", origin="deb"),
        rmm.Application(name="openssl", version="3.0.15-1", publisher="Debian", architecture="amd64", origin="deb"),
    )
    assert {each.time for each in (updated, booted, listed)} == {RECEIVED}


def test_what_no_event_needs_stays_in_the_report() -> None:
    assert "hunter2" not in str(said(xml_report()))
    assert "hunter2" not in str(said(json_report()))


@pytest.mark.parametrize(
    "pack",
    [
        pytest.param(zlib.compress, id="zlib"),
        pytest.param(lambda text: zlib.compress(text, 9), id="zlib, best"),
        pytest.param(gzip.compress, id="gzip"),
        pytest.param(bytes, id="plain"),
    ],
)
def test_a_report_is_understood_however_it_is_packed(pack: object) -> None:
    assert callable(pack)
    for text in (json.dumps(json_report()), xml_report()):
        assert len(said(pack(text.encode()))) == 3


@pytest.mark.parametrize(
    ("body", "organisation"),
    [
        pytest.param(json_report(), "acme", id="no tag: the source's name"),
        pytest.param(json_report(tag="birch"), "birch", id="a tag in JSON"),
        pytest.param(xml_report(tag="birch"), "birch", id="a tag in XML"),
        pytest.param(xml_report(tag="NA"), "acme", id="OCS's word for none"),
        pytest.param(json_report(tag="  "), "acme", id="an empty tag"),
        pytest.param(json_report(tag="birch", partial=True), "birch", id="partial, with a tag"),
        pytest.param(json_report(partial=True), None, id="partial, without: where it was last seen"),
    ],
)
def test_the_organisation_is_the_tag_else_the_sources_own(body: object, organisation: str | None) -> None:
    assert {each.event.organisation for each in said(body)} == {organisation}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json_report(partial=True), id="JSON"),
        pytest.param(xml_report(partial="1"), id="XML"),
        pytest.param(xml_report({"partial": "true"}), id="XML, among the content"),
    ],
)
def test_a_partial_inventory_is_no_complete_listing(body: object) -> None:
    assert not listing_of(said(body)).complete


def test_a_section_that_is_not_there_is_not_empty() -> None:
    told = said(json_report({"softwares": None, "hardware": None, "bios": None}))

    assert not [each for each in told if isinstance(each.event, rmm.ApplicationsListed)]
    assert (facts_of(told).hostname, facts_of(told).serial) == (None, None)


def test_a_listing_of_nothing_is_a_listing() -> None:
    assert listing_of(said(json_report({"softwares": []}))).applications == ()


def test_the_same_report_again_is_the_same_events() -> None:
    one, again = said(json_report()), said(json_report(), received=RECEIVED + timedelta(minutes=3))

    assert [each.id for each in one] == [each.id for each in again]


def test_the_next_report_is_new_but_its_boot_is_not() -> None:
    one = said(json_report())
    following = said(json_report({"accesslog": {"logdate": "2026-11-10 13:02:00"}}))

    assert [a.id == b.id for a, b in zip(one, following, strict=True)] == [False, True, False]


def test_a_boot_that_is_reckoned_a_second_later_is_the_same_boot() -> None:
    one, other = (
        json_report({"operatingsystem": {**CONTENT["operatingsystem"], "boot_time": f"2026-11-09 08:15:0{second}"}})
        for second in (1, 3)
    )

    assert said(one)[1].id == said(other)[1].id


def test_a_clock_without_a_year_makes_no_two_reports_one() -> None:
    reset = json_report({"accesslog": {"logdate": "1970-01-01 00:01:05"}})

    assert said(reset)[0].id != said(reset)[0].id


def test_ocs_tells_less_and_in_other_places() -> None:
    body = xml_report(
        {
            "accesslog": None,
            "operatingsystem": None,
            "hardware": {"name": "ws-7", "osname": "Debian GNU/Linux 12", "osversion": "12"},
            "softwares": [{"name": "bash", "version": "5.2", "architecture": "amd64", "from": "deb"}],
        }
    )
    told = said(body)

    facts = facts_of(told)
    assert (facts.os_family, facts.os_name, facts.os_version, facts.os_build) == (
        OsFamily.LINUX,
        "Debian GNU/Linux 12",
        "12",
        None,
    )
    assert [each.architecture for each in listing_of(told).applications] == ["amd64"]
    assert not [each for each in told if isinstance(each.event, rmm.DeviceBooted)]


@pytest.mark.parametrize(
    ("os", "family", "build"),
    [
        pytest.param({"kernel_name": "MSWin32", "kernel_version": "10.0.19045"}, "windows", "10.0.19045", id="Windows"),
        pytest.param({"full_name": "Microsoft Windows 11 Pro"}, "windows", None, id="Windows by its name"),
        pytest.param({"kernel_name": "darwin", "kernel_version": "24.1.0"}, "macos", None, id="macOS: no build"),
        pytest.param({"kernel_name": "linux", "full_name": "Q Android 10.0"}, "other", None, id="Android"),
        pytest.param({"kernel_name": "freebsd", "kernel_version": "14.1"}, "other", None, id="FreeBSD"),
        pytest.param({"full_name": "Haiku"}, None, None, id="nobody's"),
    ],
)  # fmt: skip
def test_which_system_it_is(os: dict[str, str], family: str | None, build: str | None) -> None:
    facts = facts_of(said(json_report({"operatingsystem": os})))

    assert (facts.os_family, facts.os_build) == (family, build)


@pytest.mark.parametrize(
    "serial", ["To Be Filled By O.E.M.", "System Serial Number", "None", "0", "Default string", "", "  "]
)
def test_a_makers_placeholder_is_no_serial_number(serial: str) -> None:
    assert facts_of(said(json_report({"bios": {"ssn": serial}}))).serial is None


def test_odd_words_hide_no_machine() -> None:
    odd = {"hardware": {"name": "a\x00b\tc", "memory": "?"}, "bios": ["?"], "softwares": ["?", {"name": 7}, {"x": 1}]}

    told = said(json_report(odd))

    assert facts_of(told).hostname == "a b c"
    assert [each.name for each in listing_of(told).applications] == ["7"]


def test_an_application_that_is_there_twice_is_one() -> None:
    twice = [{"name": "Agent", "version": "1", "userid": "a"}, {"name": "Agent", "version": "1", "userid": "b"}]

    assert len(listing_of(said(json_report({"softwares": twice}))).applications) == 1


def test_a_long_listing_travels_in_parts_that_each_fit_a_message() -> None:
    many = [{"name": f"package-{number} " + "ä" * 200, "version": "1"} for number in range(5000)]

    parts = [each for each in said(packed(json.dumps(json_report({"softwares": many})))) if _is_listing(each.event)]

    told = [rules_translate.Told(0, delivery(b"", vendor="glpi-agent"), each, RECEIVED) for each in parts]
    sizes = [len(encode(rules_translate.envelope(each, ACME, Lane.LIVE)).value or b"") for each in told]
    assert len(parts) > 1
    assert max(sizes) < PART_BYTES + 100_000 < MIB
    assert len({each.id for each in parts}) == len(parts)
    assert len({each.event.listing for each in parts if isinstance(each.event, rmm.ApplicationsListed)}) == 1


def _is_listing(event: object) -> bool:
    return isinstance(event, rmm.ApplicationsListed)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(json_report(deviceid=None), "deviceid", id="JSON without a device"),
        pytest.param(xml_report(deviceid=None), "deviceid", id="XML without a device"),
        pytest.param(xml_report(deviceid=""), "deviceid", id="an empty device"),
        pytest.param(json_report(deviceid="x" * 600), "deviceid", id="an endless device"),
        pytest.param({"deviceid": DEVICE}, "content", id="no content"),
        pytest.param(packed(xml_report())[:-20], "cut off", id="truncated zlib"),
        pytest.param(b"\x78\x9cnothing packed", "cut off", id="zlib in name only"),
        pytest.param(gzip.compress(b"<REQUEST/>")[:-4], "cut off", id="truncated gzip"),
        pytest.param(zlib.compress(b"<A>" * (6 * MIB), 1), "cut off", id="a bomb"),
        pytest.param(b"", "no XML", id="nothing"),
        pytest.param(b"PK\x03\x04", "no XML", id="something else"),
        pytest.param(packed("<REQUEST><DEVICEID>x</DEVICEID>"), "no XML", id="XML that is cut off"),
        pytest.param(packed("<ANSWER/>"), "no REQUEST", id="another document"),
        pytest.param(packed("<REQUEST>" + "<A>" * 200), "deep", id="deep XML"),
        pytest.param(packed('<!DOCTYPE REQUEST SYSTEM "x.dtd"><REQUEST/>'), "document type", id="a DTD"),
        pytest.param(
            packed('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><REQUEST><DEVICEID>&a;</DEVICEID></REQUEST>'),
            "document type",
            id="an external entity",
        ),
        pytest.param(
            packed('<!DOCTYPE r [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><REQUEST><DEVICEID>&b;</DEVICEID></REQUEST>'),
            "document type",
            id="a thousand laughs",
        ),
        pytest.param(b'<?xml version="1.0" encoding="martian"?><REQUEST/>', "not known", id="an encoding from nowhere"),
        pytest.param(b'<?xml version="1.0" encoding="UTF-8"?><REQUEST>\xff</REQUEST>', "no XML", id="not what it says"),
        pytest.param(b"{" * 5000, "JSON", id="deep JSON"),
    ],
)  # fmt: skip
def test_what_is_no_inventory_is_refused_with_the_reason(body: object, reason: str) -> None:
    refused = translation(body)

    assert (refused.said, refused.unsaid) == ((), ())
    assert reason in refused.problems[0]


def test_a_bomb_is_never_unpacked_whole() -> None:
    bomb = zlib.compress(b"<A>" + b" " * (96 * MIB))
    tracemalloc.start()
    translation(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 80 * MIB


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(codecs.BOM_UTF8 + BUREAU.encode(), id="UTF-8 with a mark"),
        pytest.param(BUREAU.replace("UTF-8", "UTF-16").encode("utf-16"), id="UTF-16"),
        pytest.param(BUREAU.replace("UTF-8", "ISO-8859-1").encode("latin-1"), id="declared Latin"),
        pytest.param(BUREAU.partition("\n")[2].encode("latin-1"), id="Latin that says nothing"),
    ],
)
def test_names_are_read_in_the_encoding_that_they_are_in(body: bytes) -> None:
    assert facts_of(said(body)).hostname == "büro"


@pytest.mark.parametrize("query", ["SNMPQUERY", "NETDISCOVERY", "PROLOG"])
def test_what_is_no_inventory_but_a_message_is_counted(query: str) -> None:
    told = translation(xml_report(query=query))

    assert [each.code for each in told.unsaid] == [f"query {query}"]
    assert (told.said, told.problems) == ((), ())


def test_a_message_without_a_query_is_an_inventory() -> None:
    assert len(said(xml_report(query=None))) == len(said(json_report(action=None))) == 3


def test_a_handshake_that_came_this_far_is_counted() -> None:
    assert [each.code for each in translation(PROLOG).unsaid] == ["query PROLOG"]


@given(st.binary(max_size=400))
def test_no_bytes_raise(body: bytes) -> None:
    for each in (body, zlib.compress(body), b"<REQUEST>" + body, b'{"deviceid":"d","content":' + body):
        assert translated(delivery(each, vendor="glpi-agent")) is not None


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_sections = st.sampled_from(["operatingsystem", "hardware", "bios", "softwares", "accesslog", "accountinfo"])


@given(st.dictionaries(_sections, _json, min_size=1), _json)
def test_no_sections_raise(content: dict[str, object], tag: object) -> None:
    told = agent.translated(delivery(json_report(content, tag=tag), vendor="glpi-agent"))

    assert told.said or told.problems
