"""Values and result codes of LDAP, in tables."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.credentials.adapters.rules_ldap import (
    Entry,
    Meaning,
    closed_over,
    domain_of,
    escaped,
    filetime_at,
    generalized_at,
    guid_of,
    is_uuid,
    meaning,
    name_of,
    sid_of,
    told,
)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        pytest.param("20261122121744Z", datetime(2026, 11, 22, 12, 17, 44, tzinfo=UTC), id="openldap"),
        pytest.param("20261122120824.0Z", datetime(2026, 11, 22, 12, 8, 24, tzinfo=UTC), id="active directory"),
        pytest.param("20261122121744.089Z", datetime(2026, 11, 22, 12, 17, 44, 89000, tzinfo=UTC), id="fraction"),
        pytest.param("20261122131744+0100", datetime(2026, 11, 22, 12, 17, 44, tzinfo=UTC), id="another zone"),
        pytest.param("20261122070000-0530", datetime(2026, 11, 22, 12, 30, tzinfo=UTC), id="west, with minutes"),
        pytest.param("2026112212Z", datetime(2026, 11, 22, 12, tzinfo=UTC), id="hours alone"),
        pytest.param("000001010000Z", None, id="locked for good"),
        pytest.param("20261322121744Z", None, id="no such month"),
        pytest.param("20261122121744", None, id="no zone"),
        pytest.param("tomorrow", None, id="words"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_generalized_times(text: str | None, moment: datetime | None) -> None:
    assert generalized_at(text) == moment


@pytest.mark.parametrize(
    ("ticks", "moment"),
    [
        pytest.param(134398229042135180, datetime(2026, 11, 22, 12, 8, 24, 213518, tzinfo=UTC), id="a moment"),
        pytest.param(0, None, id="must change"),
        pytest.param(2**63 - 1, None, id="never"),
        pytest.param(-1, None, id="nonsense"),
    ],
)
def test_file_times(ticks: int, moment: datetime | None) -> None:
    assert filetime_at(ticks) == moment


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        (0, Meaning.DONE),
        (1, Meaning.LATER),
        (4, Meaning.NEVER),  # a part of the answer alone: never taken for all of it
        (8, Meaning.FORBIDDEN),
        (10, Meaning.NEVER),  # a referral: another server is never spoken to
        (19, Meaning.NEVER),
        (32, Meaning.GONE),
        (49, Meaning.NEVER),
        (50, Meaning.FORBIDDEN),
        (51, Meaning.LATER),
        (53, Meaning.NEVER),
        (4711, Meaning.NEVER),
    ],
)
def test_result_codes(code: int, meant: Meaning) -> None:
    assert meaning(code) is meant


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data 52e, v1db1", ", 80090308 52e"),
        ("00002098: SecErr: DSID-031514A0, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0", ", 00002098 4003 0"),
        ("Password 'Hunter2-Hunter2' fails quality checking policy", ""),
        ("", ""),
    ],
    ids=["bind", "rights", "free text", "none"],
)
def test_of_a_servers_text_its_numbers_alone_are_told(message: str, words: str) -> None:
    assert told(49, "invalidCredentials", message) == f"LDAP 49 (invalidCredentials{words})"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a*b", "a\\2ab"),
        ("(x)", "\\28x\\29"),
        ("back\\slash", "back\\5cslash"),
        ("ä", "\\c3\\a4"),
        ("plain-1", "plain-1"),
    ],
)
def test_what_means_more_in_a_filter_is_escaped(text: str, safe: str) -> None:
    assert escaped(text) == safe


@given(st.text())
def test_nothing_that_is_escaped_means_more_in_a_filter(text: str) -> None:
    assert not set(escaped(text)) & set("*()\0")


def test_identifiers_are_written_as_people_write_them() -> None:
    assert guid_of(bytes.fromhex("5a05497f1dd86b4284a110aba4407332")) == "7f49055a-d81d-426b-84a1-10aba4407332"
    assert sid_of(bytes.fromhex("01020000000000052000000020020000")) == "S-1-5-32-544"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("7f49055a-d81d-426b-84a1-10aba4407332", True),
        ("7F49055A-D81D-426B-84A1-10ABA4407332", True),
        ("7f49055a-d81d-426b-84a1-10aba4407332>,DC=x", False),
        ("7f49055ad81d426b84a110aba4407332", False),
        ("", False),
    ],
)
def test_identifiers_are_told_from_names_that_mean_more(text: str, is_one: bool) -> None:  # noqa: FBT001 - a table
    assert is_uuid(text) is is_one


@pytest.mark.parametrize(
    ("dn", "domain", "name"),
    [
        ("CN=Ann,OU=People,DC=Corp,DC=test", "corp.test", "Ann"),
        ("cn=Oh\\, Gwen,dc=corp,dc=test", "corp.test", "Oh, Gwen"),
        ("o=corp,c=de", None, "corp"),
        ("", None, ""),
    ],
)
def test_names_spell_domains_and_people(dn: str, domain: str | None, name: str) -> None:
    assert domain_of(dn) == domain
    assert name_of(dn) == name


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"))))
def test_groups_that_are_in_each_other_are_found_once_and_end(parents: dict[str, list[str]]) -> None:
    found = closed_over(["a"], parents)

    assert found[0] == "a"
    assert len(found) == len(set(found))
    assert {above for each in found for above in parents.get(each, ())} <= set(found)


def test_values_are_read_by_any_spelling_of_their_attributes_name_and_what_is_no_text_is_left_out() -> None:
    entry = Entry("cn=x", {"mail": (b"\xff\xfe", b"a@b.test"), "flags": (b"512",), "odd": (b"5x",)})

    assert entry.first("Mail") == "a@b.test"
    assert entry.raw("mail") == b"\xff\xfe"
    assert (entry.number("flags"), entry.number("odd"), entry.number("none")) == (512, 0, 0)
