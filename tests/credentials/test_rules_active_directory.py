"""What entries of a domain say about accounts, in tables."""

import pytest

from services.credentials.adapters.rules_active_directory import Groups, account_of, marks, never_ours
from services.credentials.adapters.rules_ldap import Entry
from services.credentials.records import Account, Mark

DOMAIN = bytes.fromhex("010500000000000515000000fae8b5d021ac3ac323b728ac")
SID = "S-1-5-21-3501582586-3275402273-2888349475"


def sid(rid: int) -> bytes:
    return DOMAIN + rid.to_bytes(4, "little")


def entry(rid: int = 1104, /, **values: str | bytes | list[str]) -> Entry:
    shown: dict[str, tuple[bytes, ...]] = {
        "objectguid": (bytes(16),),
        "objectsid": (sid(rid),),
        "samaccountname": (b"ann",),
    }
    for name, value in values.items():
        each = value if isinstance(value, list) else [value]
        shown[name.lower()] = tuple(one if isinstance(one, bytes) else one.encode() for one in each)
    return Entry("CN=ann,DC=corp,DC=test", shown)


def group(name: str, *, rid: int, inside: str = "") -> Entry:
    values = {"objectsid": (sid(rid),), "samaccountname": (name.encode(),)}
    return Entry(f"CN={name},DC=corp,DC=test", values | ({"memberof": (inside.encode(),)} if inside else {}))


def shown(each: Entry, groups: Groups | None = None) -> Account:
    known = groups or Groups([])
    account = account_of(each, known.around(each), known, domain="corp.test", netbios="CORP")
    assert account
    return account


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        ({"userAccountControl": "66048"}, Mark.NEVER_EXPIRES),
        ({"userAccountControl": "262656"}, Mark.SMARTCARD),
        ({"servicePrincipalName": "http/web"}, Mark.SERVICE_NAME),
        ({"objectClass": ["top", "user", "msDS-GroupManagedServiceAccount"]}, Mark.MANAGED_SERVICE),
        ({"adminCount": "1"}, Mark.ADMIN_COUNT),
        ({"sAMAccountName": "krbtgt_31337"}, Mark.BUILT_IN),
        ({"sAMAccountName": "MSOL_0a1b2c3d"}, Mark.SYNC),
        ({"userAccountControl": "2080"}, Mark.BUILT_IN),
        ({"msExchRecipientTypeDetails": "4"}, Mark.SHARED_MAILBOX),
        ({"msExchRecipientTypeDetails": "16"}, Mark.RESOURCE),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else value.value,
)
def test_marks(values: dict[str, str | bytes | list[str]], mark: Mark) -> None:
    assert mark in marks(entry(**values), ())


@pytest.mark.parametrize("rid", [500, 501, 502, 503])
def test_accounts_that_every_domain_has_are_built_in(rid: int) -> None:
    assert Mark.BUILT_IN in marks(entry(rid), ())


def test_an_ordinary_person_has_no_mark_and_may_be_changed() -> None:
    ordinary = entry(userAccountControl="512")

    assert marks(ordinary, ()) == frozenset()
    assert never_ours(ordinary) is None


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"sAMAccountName": "krbtgt"}, "krbtgt"),
        ({"objectClass": "msDS-ManagedServiceAccount"}, "managed service"),
        ({"servicePrincipalName": "http/web"}, "servicePrincipalName"),
        ({"userAccountControl": "4096"}, "computer"),
        ({"userAccountControl": "2080"}, "trust"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_machine_ever_changes(values: dict[str, str | bytes | list[str]], why: str) -> None:
    assert why in (never_ours(entry(**values)) or "")


def test_groups_with_power_are_known_by_number_since_their_names_are_translated() -> None:
    groups = Groups([group("Domänen-Admins", rid=512), group("Vertrieb", rid=1200)])
    ann = entry(memberOf=["CN=Domänen-Admins,DC=corp,DC=test", "CN=Vertrieb,DC=corp,DC=test"])

    assert shown(ann, groups).privileges == ("Domain Admins",)
    assert shown(ann, groups).groups == ("Vertrieb",)


def test_power_through_other_groups_and_through_the_primary_one_counts() -> None:
    admins = "CN=Domain Admins,DC=corp,DC=test"
    groups = Groups(
        [
            group("Domain Admins", rid=512),
            group("Tier0", rid=1300, inside=admins),
            group("Ops", rid=1301, inside="CN=Tier0,DC=corp,DC=test"),
        ]
    )

    assert shown(entry(memberOf="CN=Ops,DC=corp,DC=test"), groups).privileges == ("Domain Admins",)
    assert shown(entry(primaryGroupID="512"), groups).privileges == ("Domain Admins",)


def test_an_account_that_may_act_for_others_has_power() -> None:
    assert shown(entry(userAccountControl=str(512 | 0x80000))).privileges == ("trusted for delegation",)


def test_an_account_whose_flags_we_may_not_see_is_not_called_enabled() -> None:
    assert not shown(entry()).enabled


def test_an_account_without_an_id_is_none() -> None:
    nameless = Entry("CN=x", {"samaccountname": (b"x",)})

    assert account_of(nameless, (), Groups([]), domain="corp.test", netbios="CORP") is None


def test_logins_are_every_name_that_it_goes_by_once() -> None:
    named = entry(
        userPrincipalName="Ann@Corp.test",
        mail="ann@corp.test",
        proxyAddresses=["SMTP:ann@corp.test", "X400:x", "smtp:a@b.test"],
    )

    assert shown(named).logins == ("ann@corp.test", "a@b.test", "ann", "corp\\ann")
