"""What kind an account is, what power it has, and who is the last that could let the others in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.credential import AccountKind
from services.credentials.directory import rules_identity
from services.credentials.guard.policy import STRICT, GuardPolicy
from services.credentials.records import Account, Authority, Identity, Mark
from tests.credentials.directories import account, identity

POLICY = GuardPolicy(
    break_glass=frozenset({"Rescue@Acme.example", "0f-11"}),
    service_accounts=frozenset({"printer@acme.example"}),
    shared=frozenset({"frontdesk@acme.example"}),
    privileged_groups=frozenset({"Billing Owners"}),
)
PERSON = AccountKind.PERSON
SERVICE = AccountKind.SERVICE
UNKNOWN = AccountKind.UNKNOWN
GLASS = AccountKind.BREAK_GLASS
NEVER = frozenset({Mark.NEVER_EXPIRES})


def marked(*marks: Mark) -> Account:
    return account("a", marks=frozenset(marks))


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        pytest.param(account("kim"), PERSON, id="a mailbox and nothing else: a person"),
        pytest.param(account("kim", mail=None), UNKNOWN, id="nothing that only persons have: unknown"),
        pytest.param(account("kim", mail=None, manager="lee"), PERSON, id="a manager: a person"),
        pytest.param(account("kim", mail=None, mfa=True), PERSON, id="a second factor: a person"),
        pytest.param(account("kim", mail=None, mfa=False), UNKNOWN, id="no second factor says nothing"),
        pytest.param(account("me"), AccountKind.CONNECTOR, id="the account that we act with"),
        pytest.param(account("r", "rescue@acme.example"), GLASS, id="listed by login, in other letters"),
        pytest.param(account("0f-11"), GLASS, id="listed by immutable id"),
        pytest.param(account("r", "k@acme.example", "RESCUE@ACME.EXAMPLE"), GLASS, id="listed by its second login"),
        pytest.param(account("b", "break-glass-2@acme.example"), GLASS, id="a name that says break-glass"),
        pytest.param(account("b", "emergencyaccess@acme.example"), GLASS, id="a name that says emergency access"),
        pytest.param(account("p", "printer@acme.example"), SERVICE, id="listed as a service"),
        pytest.param(account("p", "svc-backup@acme.example"), SERVICE, id="a name that says service"),
        pytest.param(account("p", "ACME\\svc_sql"), SERVICE, id="a name that says service, behind a domain"),
        pytest.param(account("p", "svcenska@acme.example"), PERSON, id="a name that only begins so"),
        pytest.param(account("f", "frontdesk@acme.example"), AccountKind.SHARED, id="listed as shared"),
        pytest.param(account("f", "reception@acme.example"), AccountKind.SHARED, id="a role's name"),
        pytest.param(account("s", "Sync_DC1_0a1b@acme.example"), AccountKind.SYNC, id="the name of a synchronisation"),
        pytest.param(account("s", "MSOL_0a1b2c"), AccountKind.SYNC, id="the older name of a synchronisation"),
        pytest.param(marked(Mark.SYNC), AccountKind.SYNC, id="marked as synchronisation"),
        pytest.param(marked(Mark.BUILT_IN), SERVICE, id="built in"),
        pytest.param(
            account("a", "administrator@acme.example", marks=frozenset({Mark.BUILT_IN}), privileges=("Domain Admins",)),
            GLASS,
            id="the administrator that the directory came with",
        ),
        pytest.param(marked(Mark.MANAGED_SERVICE), SERVICE, id="a managed service account"),
        pytest.param(marked(Mark.SERVICE_NAME), SERVICE, id="a service principal name"),
        pytest.param(marked(Mark.SHARED_MAILBOX), AccountKind.SHARED, id="a shared mailbox"),
        pytest.param(marked(Mark.RESOURCE), AccountKind.SHARED, id="a room"),
        pytest.param(marked(Mark.GUEST), UNKNOWN, id="a guest"),
        pytest.param(marked(Mark.EXTERNAL), UNKNOWN, id="from outside"),
        pytest.param(marked(Mark.SMARTCARD), PERSON, id="a smartcard says nothing"),
        pytest.param(account("kim", marks=NEVER), UNKNOWN, id="a password that never expires, and a mailbox"),
        pytest.param(account("kim", marks=NEVER, mail=None), SERVICE, id="a password that never expires, no mailbox"),
        pytest.param(account("kim", marks=NEVER, mfa=True), PERSON, id="a password that never expires, second factor"),
        pytest.param(
            account("kim", marks=NEVER, authority=Authority.SYNCED), PERSON, id="a copy in the cloud never expires"
        ),
        pytest.param(
            account("r", "rescue@acme.example", marks=frozenset({Mark.SERVICE_NAME})),
            GLASS,
            id="the client's word comes before a mark",
        ),
        pytest.param(
            account("p", "printer@acme.example", "svc-x", marks=frozenset({Mark.GUEST})),
            SERVICE,
            id="the client's word comes before what asks a person",
        ),
    ],
)
def test_the_kind_of_an_account(shown: Account, kind: AccountKind) -> None:
    found = rules_identity.classified(shown, POLICY, "me")

    assert (found.kind, bool(found.why)) == (kind, True)


def test_nobody_is_the_connector_where_we_are_no_account() -> None:
    assert rules_identity.classified(account("me"), STRICT, None).kind is PERSON


@pytest.mark.parametrize(
    ("shown", "privileged"),
    [
        pytest.param(account("kim"), False, id="nothing"),
        pytest.param(account("kim", privileges=("Domain Admins",)), True, id="a role"),
        pytest.param(account("kim", eligible=("Global Administrator",)), True, id="a role it can take by itself"),
        pytest.param(account("kim", groups=("Staff",)), False, id="a group that gives none"),
        pytest.param(account("kim", groups=("billing owners",)), True, id="a group that the client named"),
        pytest.param(
            account("kim", groups=("CN=Billing Owners,OU=x,DC=acme",)), True, id="that group by its full name"
        ),
        pytest.param(marked(Mark.ADMIN_COUNT), True, id="protected as an administrator"),
        pytest.param(marked(Mark.PROTECTED_USERS), True, id="a protected user"),
    ],
)
def test_what_gives_power(shown: Account, *, privileged: bool) -> None:
    assert rules_identity.classified(shown, POLICY, None).privileged is privileged


def test_a_newer_policy_is_applied_to_what_was_read_before() -> None:
    before = identity(account("r", "rescue@acme.example"))

    assert rules_identity.weighed(before, POLICY).kind is GLASS


def test_a_newer_policy_does_not_turn_our_connector_into_a_person() -> None:
    before = identity(account("me"), kind=AccountKind.CONNECTOR)

    assert rules_identity.weighed(before, POLICY).kind is AccountKind.CONNECTOR


CLOUD_COPY = identity(account("c", "kim@acme.example", authority=Authority.SYNCED), directory="acme-entra")
ON_PREM = identity(account("p", "kim@acme.example"))


def test_a_login_that_nobody_has_counts_nowhere() -> None:
    assert rules_identity.authoritative([]) is None


def test_the_password_of_a_copy_counts_where_it_is_copied_from() -> None:
    found = rules_identity.authoritative([CLOUD_COPY, ON_PREM])

    assert found == ON_PREM


def test_the_strictest_of_all_copies_decides() -> None:
    copy = replace(CLOUD_COPY, kind=AccountKind.BREAK_GLASS, kind_why="listed", privileged=True)

    found = rules_identity.authoritative([ON_PREM, copy])

    assert found is not None
    assert (found.object_id, found.kind, found.kind_why, found.privileged) == ("p", GLASS, "listed", True)


def test_a_mailbox_that_only_a_copy_shows_shows_a_person() -> None:
    bare = account("p", "kim@acme.example", mail=None)
    unknown = rules_identity.classified(bare, STRICT, None)

    found = rules_identity.authoritative([CLOUD_COPY, replace(ON_PREM, kind=unknown.kind, kind_why=unknown.why)])

    assert found is not None
    assert (unknown.kind, found.object_id, found.kind) == (UNKNOWN, "p", PERSON)


def test_a_guest_is_no_person_because_a_copy_looks_like_one() -> None:
    guest = rules_identity.classified(marked(Mark.GUEST), STRICT, None)

    found = rules_identity.authoritative([CLOUD_COPY, replace(ON_PREM, kind=guest.kind, kind_why=guest.why)])

    assert found is not None
    assert found.kind is UNKNOWN


def test_a_copy_alone_is_still_somebody() -> None:
    assert rules_identity.authoritative([CLOUD_COPY]) == CLOUD_COPY


def test_two_places_that_decide_about_one_login_leave_it_to_a_person() -> None:
    assert rules_identity.authoritative([ON_PREM, replace(ON_PREM, directory="acme-okta")]) is None


def admin(name: str, **changes: object) -> Identity:
    kind = changes.pop("kind", PERSON)
    directory = changes.pop("directory", "acme-ad")
    shown = account(name, **({"privileges": ("Domain Admins",)} | changes))
    return identity(shown, privileged=True, kind=kind, directory=directory)


ANN, BOB = admin("ann"), admin("bob")


@pytest.mark.parametrize(
    ("others", "out_of_reach", "last"),
    [
        pytest.param([], set(), True, id="alone"),
        pytest.param([BOB], set(), False, id="another one is there"),
        pytest.param([BOB], {("acme-ad", "bob")}, True, id="the other was reset and is not back"),
        pytest.param([admin("bob", enabled=False)], set(), True, id="the other is disabled"),
        pytest.param([admin("bob", kind=SERVICE)], set(), True, id="the other is a program"),
        pytest.param([admin("bob", kind=AccountKind.SHARED)], set(), True, id="the other is shared"),
        pytest.param([admin("bob", kind=UNKNOWN)], set(), True, id="nobody knows what the other is"),
        pytest.param([admin("glass", kind=GLASS)], set(), False, id="the break-glass account is there"),
        pytest.param([admin("bob", directory="acme-entra")], set(), True, id="the other is of another directory"),
        pytest.param([admin("bob", privileges=("Print Operators",))], set(), True, id="the other has little power"),
        pytest.param(
            [admin("bob", privileges=(), eligible=("Global Administrator",))],
            set(),
            False,
            id="the other can take the power by itself",
        ),
    ],
)
def test_the_last_that_could_let_the_others_in(
    others: list[Identity], out_of_reach: set[tuple[str, str]], *, last: bool
) -> None:
    assert rules_identity.is_last_path(ANN, [ANN, *others], out_of_reach) is last


def test_who_is_the_last_way_into_the_cloud_through_a_copy_is_the_last_admin() -> None:
    """Ann's password is decided on premises, where others have power too; in the cloud only her copy has any."""
    copy = admin("cloud-ann", directory="acme-entra", authority=Authority.SYNCED)
    copy = replace(copy, account=replace(copy.account, logins=ANN.account.logins))
    glass = admin("glass", directory="acme-entra", authority=Authority.CLOUD, kind=GLASS)

    assert rules_identity.is_last_path(ANN, [ANN, BOB, copy])
    assert not rules_identity.is_last_path(ANN, [ANN, BOB, copy, glass])


def test_a_copy_is_no_way_in_of_its_own() -> None:
    copies = [admin(name, directory="acme-entra", authority=Authority.SYNCED) for name in ("ann", "bob")]

    assert rules_identity.admin_paths(copies) == set()


def test_who_has_no_power_is_never_the_last_admin() -> None:
    assert not rules_identity.is_last_path(identity(account("kim")), [])


def test_where_nobody_has_full_power_by_name_any_power_counts() -> None:
    some = [admin(name, privileges=("cn=ops,dc=acme",)) for name in ("ann", "bob")]

    assert rules_identity.admin_paths(some) == {("acme-ad", "ann"), ("acme-ad", "bob")}


people = st.builds(
    lambda name, enabled, kind, power: identity(
        account(name, enabled=enabled, privileges=power), kind=kind, privileged=bool(power)
    ),
    st.sampled_from("abcdef"),
    st.booleans(),
    st.sampled_from(list(AccountKind)),
    st.sampled_from([(), ("Domain Admins",), ("Print Operators",)]),
)


@given(st.lists(people, unique_by=lambda each: each.object_id), st.data())
def test_resetting_all_but_the_last_always_leaves_a_way_in(everyone: list[Identity], data: st.DataObject) -> None:
    paths = rules_identity.admin_paths(everyone)
    reset: set[tuple[str, str]] = set()

    for each in data.draw(st.permutations(everyone)):
        if each.kind is not GLASS and not rules_identity.is_last_path(each, everyone, reset):
            reset.add((each.directory, each.object_id))

    assert not paths or paths - reset
