"""What entries of OpenLDAP say about accounts, in tables."""

import pytest

from services.credentials.adapters.rules_ldap import Entry
from services.credentials.adapters.rules_openldap import POWERS, Groups, account_of, has_changed, is_locked_for_good
from services.credentials.records import Account, Mark

ANN = "uid=ann,ou=people,dc=corp,dc=test"


def entry(dn: str = ANN, /, **values: str | list[str]) -> Entry:
    shown: dict[str, str | list[str]] = {
        "entryUUID": "76547B52-7aba-1041-9ad3-bf0311fc97e6",
        "objectClass": ["inetOrgPerson", "person"],
    }
    lists = {name: each if isinstance(each, list) else [each] for name, each in (shown | values).items()}
    return Entry(dn, {name.lower(): tuple(one.encode() for one in each) for name, each in lists.items()})


def account(each: Entry, *groups: str) -> Account:
    found = account_of(each, groups, POWERS)
    assert found
    return found


@pytest.mark.parametrize(
    ("locked_at", "is_for_good"),
    [("000001010000Z", True), ("20261122121744Z", False), ("", False)],
    ids=["by an administrator", "for a while", "not at all"],
)
def test_locks(locked_at: str, is_for_good: bool) -> None:  # noqa: FBT001 - a table
    shown = entry(pwdAccountLockedTime=locked_at)

    assert is_locked_for_good(shown) is is_for_good
    assert account(shown).enabled is not is_for_good


@pytest.mark.parametrize(
    ("before", "after", "counted", "has"),
    [
        pytest.param("20261122121744Z", "20261122121745Z", True, True, id="later"),
        pytest.param("20261122121744Z", "20261122121744Z", True, True, id="within the second"),
        pytest.param("20261122121744Z", "20261122121744Z", False, False, id="nothing was written"),
        pytest.param("", "20261122121744Z", True, True, id="the first one ever"),
        pytest.param("20261122121744Z", "20261122121743Z", True, False, id="something else was written"),
        pytest.param("", "", True, False, id="a server that keeps no times"),
    ],
)
def test_whether_a_change_shows(before: str, after: str, counted: bool, has: bool) -> None:  # noqa: FBT001 - a table
    then = entry(pwdChangedTime=before, entryCSN="1#0")
    now = entry(pwdChangedTime=after, entryCSN="2#0" if counted else "1#0")

    assert has_changed(then, now) is has


@pytest.mark.parametrize(
    ("values", "groups", "privileges"),
    [
        ({}, ("staff",), ()),
        ({}, ("Admins", "staff"), ("Admins",)),
        ({"uidNumber": "0"}, (), ("uid 0",)),
        ({"uidNumber": "1000"}, (), ()),
    ],
    ids=["none", "by a group", "root", "a user"],
)
def test_power(values: dict[str, str | list[str]], groups: tuple[str, ...], privileges: tuple[str, ...]) -> None:
    assert account(entry(**values), *groups).privileges == privileges


def test_groups_of_every_kind_count_and_groups_in_groups_too() -> None:
    groups = Groups(
        [
            Entry("cn=staff,dc=x", {"cn": (b"staff",), "member": (b"UID=Ann, ou=people,dc=corp,dc=test",)}),
            Entry("cn=unix,dc=x", {"cn": (b"unix",), "memberuid": (b"ann",)}),
            Entry("cn=all,dc=x", {"cn": (b"all",), "uniquemember": (b"cn=staff,dc=x",)}),
            Entry("cn=other,dc=x", {"cn": (b"other",), "member": (b"uid=ben,dc=x",)}),
            Entry("cn=loop,dc=x", {"cn": (b"loop",), "member": (b"cn=all,dc=x", b"cn=loop,dc=x")}),
        ]
    )

    assert groups.around(entry(uid="ann")) == ("staff", "unix", "all", "loop")


def test_an_entry_that_is_no_person_is_a_services() -> None:
    assert account(entry(objectClass=["simpleSecurityObject"])).marks == {Mark.SERVICE_NAME}


def test_an_entry_without_an_id_is_none() -> None:
    assert account_of(Entry(ANN, {}), (), POWERS) is None
