"""What kind of account it is, what power it has, and who can still let the others in. Pure.

In doubt the stricter kind: a wrong `service` costs a person five minutes, a wrong `person` a company its night.
Sources: the ten points of a safe forced reset, number 4, in the project's references; Microsoft Learn, "Manage
emergency access accounts" and "Microsoft Entra Connect: accounts and permissions" (names of synchronisation accounts).
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from contracts.events.credential import AccountKind
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Account, Authority, Identity, Mark

Key = tuple[str, str]
"""(directory, object id)."""

SYNC_NAME: Final = re.compile(r"^(sync_|adsync|aad_|msol_|aadconnect|entraconnect|adtoaadsyncserviceaccount)")
BREAK_GLASS_NAME: Final = re.compile(r"(break[-_. ]?glass|emergency[-_. ]?(access|admin|account))")
SERVICE_NAME: Final = re.compile(r"^(svc|srv|service|sa|gmsa|task|batch|bot|app)([-_.$]|$)|[-_.](svc|service|bot)$")
SHARED_NAME: Final = re.compile(
    r"^(admin|administrator|root|helpdesk|support|it|info|office|reception|scanner|shared|team)$"
)

FULL_POWER: Final = frozenset(
    {
        "administrators",
        "domain admins",
        "enterprise admins",
        "global administrator",
        "company administrator",
        "privileged role administrator",
        "privileged authentication administrator",
        "super administrator",
        "super admin",
        "super_admin",
    }
)
"""Groups and roles that can let everybody else in again, lower case: Active Directory, Entra ID, Okta, Google."""

NOTHING_SHOWN: Final = "nothing shows a person behind it"
"""Why an account is of unknown kind, where that is for want of anything else."""

STRICTEST_FIRST: Final = (
    AccountKind.CONNECTOR,
    AccountKind.BREAK_GLASS,
    AccountKind.SYNC,
    AccountKind.SERVICE,
    AccountKind.SHARED,
    AccountKind.UNKNOWN,
    AccountKind.PERSON,
)
DECIDED_HERE: Final = frozenset({Authority.CLOUD, Authority.ON_PREM})
SIGNED_IN_BY_PEOPLE: Final = frozenset({AccountKind.PERSON, AccountKind.BREAK_GLASS})


@dataclass(frozen=True, slots=True)
class Classified:
    """What kind an account is and why, and whether it has power or can take some by itself."""

    kind: AccountKind
    why: str
    privileged: bool


def login_of(text: str) -> str:
    """Return a login as it is compared: NFKC, lower case, no blanks around it."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def classified(account: Account, policy: GuardPolicy, own_id: str | None) -> Classified:
    """Return what kind `account` is for this client; `own_id` is the account that we act with in its directory."""
    kind, why = _kind(account, policy, own_id)
    return Classified(kind, why, privileged=_has_power(account, policy))


def weighed(identity: Identity, policy: GuardPolicy) -> Identity:
    """Return `identity` as a newer policy sees it; what it was read as stays: our own connector is known from there."""
    if identity.kind is AccountKind.CONNECTOR:
        return replace(identity, privileged=identity.privileged or _has_power(identity.account, policy))
    found = classified(identity.account, policy, None)
    return replace(identity, kind=found.kind, kind_why=found.why, privileged=found.privileged)


def is_named(account: Account, names: Collection[str]) -> bool:
    """Return whether a list of logins and immutable ids names the account, in any spelling of letters."""
    wanted = _spelled(frozenset(names))
    return any(login_of(each) in wanted for each in (account.object_id, *account.logins))


def powers(account: Account, policy: GuardPolicy) -> tuple[str, ...]:
    """Return by name what gives the account power, or what it can take by itself."""
    said = _spelled(policy.privileged_groups)
    named = (each for each in account.groups if login_of(each) in said or group_name(each) in said)
    return tuple(dict.fromkeys((*account.privileges, *account.eligible, *named)))


def group_name(group: str) -> str:
    """Return the bare name of a group in lower case; of a distinguished name that is its first part's value."""
    first = re.match(r"^cn=((?:[^,\\]|\\.)+)", group, re.IGNORECASE)
    return login_of(first.group(1) if first else group)


def authoritative(identities: Sequence[Identity]) -> Identity | None:
    """Return of one login's accounts the one whose password counts, as strict as the strictest of them all.

    An account that is copied from another directory counts there; where it shows nothing of a person, what another
    copy shows holds. `None`: nobody has the login, or more than one place
    decides about it, so that nobody can say which password was exposed.
    """
    here = [each for each in identities if each.account.authority in DECIDED_HERE]
    counting = here or list(identities)
    if len(counting) != 1:
        return None
    shown = [each for each in identities if each.kind_why != NOTHING_SHOWN] or identities
    strictest = min(shown, key=lambda each: STRICTEST_FIRST.index(each.kind))
    return replace(
        counting[0],
        kind=strictest.kind,
        kind_why=strictest.kind_why,
        privileged=any(each.privileged for each in identities),
    )


def admin_paths(identities: Iterable[Identity]) -> frozenset[Key]:
    """Return the accounts through which people can still administer: enabled, used by people, full of power.

    An account that is copied from another directory is no way in of its own: it falls with the other's password. In a
    directory where nobody has full power by name, whoever has any counts.
    """
    usable = [
        each
        for each in identities
        if each.account.enabled and each.kind in SIGNED_IN_BY_PEOPLE and each.account.authority in DECIDED_HERE
    ]
    full = {_key(each) for each in usable if _has_full_power(each.account)}
    with_full = {directory for directory, _ in full}
    some = {_key(each) for each in usable if each.privileged and each.directory not in with_full}
    return frozenset(full | some)


def is_last_path(
    identity: Identity, identities: Iterable[Identity], out_of_reach: Collection[Key] = frozenset()
) -> bool:
    """Return whether nobody could administer a directory any more if `identity` and its copies could not sign in.

    `identities` are the client's that have power, freshly read. `out_of_reach` are those that were reset and have not
    been seen to come back: they let nobody in. Every directory counts in which `identity` has a copy with power.
    """
    if not identity.privileged:
        return False
    everyone = list(identities)
    logins = _logins(identity)
    own = {_key(identity)} | {_key(each) for each in everyone if each.privileged and logins & _logins(each)}
    away = own | frozenset(out_of_reach)
    return any(
        not admin_paths(each for each in everyone if each.directory == directory) - away
        for directory in {directory for directory, _ in own}
    )


def _kind(account: Account, policy: GuardPolicy, own_id: str | None) -> tuple[AccountKind, str]:
    if own_id is not None and account.object_id == own_id:
        return AccountKind.CONNECTOR, "it is the account that we act with"
    if is_named(account, policy.break_glass):
        return AccountKind.BREAK_GLASS, "the client lists it as break-glass"
    if is_named(account, policy.service_accounts):
        return AccountKind.SERVICE, "the client lists it as a service account"
    if is_named(account, policy.shared):
        return AccountKind.SHARED, "the client lists it as shared"
    if Mark.BUILT_IN in account.marks and _has_full_power(account):
        return AccountKind.BREAK_GLASS, "it is the administrator that the directory came with"
    return next(_by_marks(account), None) or next(_by_names(account), None) or _by_habits(account)


def _by_marks(account: Account) -> Iterator[tuple[AccountKind, str]]:
    for mark, kind, why in _MARKED:
        if mark in account.marks:
            yield kind, why


_MARKED: Final = (
    (Mark.SYNC, AccountKind.SYNC, "the directory's own synchronisation uses it"),
    (Mark.BUILT_IN, AccountKind.SERVICE, "the directory itself needs it"),
    (Mark.MANAGED_SERVICE, AccountKind.SERVICE, "it is a managed service account"),
    (Mark.SERVICE_NAME, AccountKind.SERVICE, "a service is registered under its name"),
    (Mark.SHARED_MAILBOX, AccountKind.SHARED, "it is a shared mailbox"),
    (Mark.RESOURCE, AccountKind.SHARED, "it is a room or a thing"),
    (Mark.GUEST, AccountKind.UNKNOWN, "it is a guest: its password is another company's"),
    (Mark.EXTERNAL, AccountKind.UNKNOWN, "it comes from outside: its password is another's"),
)


def _by_names(account: Account) -> Iterator[tuple[AccountKind, str]]:
    names = [login_of(each).rpartition("\\")[2].partition("@")[0] for each in account.logins]
    for pattern, kind, why in _NAMED:
        if any(pattern.search(each) for each in names):
            yield kind, why


_NAMED: Final = (
    (BREAK_GLASS_NAME, AccountKind.BREAK_GLASS, "its name says break-glass"),
    (SYNC_NAME, AccountKind.SYNC, "its name is one that a synchronisation gives itself"),
    (SERVICE_NAME, AccountKind.SERVICE, "its name says that a program uses it"),
    (SHARED_NAME, AccountKind.SHARED, "its name is a role's, not a person's"),
)


def _by_habits(account: Account) -> tuple[AccountKind, str]:
    """Tell persons from programs by what only persons have.

    A password that never expires is the mark of a service account; where passwords are copied into a cloud the copy
    never expires, which says nothing. Source: Microsoft Learn, "Implement password hash synchronization".
    """
    registered = bool(account.mfa or account.recovery or account.manager)
    unexpiring = Mark.NEVER_EXPIRES in account.marks and account.authority is not Authority.SYNCED
    if registered:
        return AccountKind.PERSON, "it has a manager or a method registered to sign in with"
    if unexpiring and not account.mail:
        return AccountKind.SERVICE, "its password never expires, and nothing shows a person behind it"
    if unexpiring:
        return AccountKind.UNKNOWN, "its password never expires, as a service account's does"
    if account.mail:
        return AccountKind.PERSON, "it has a mailbox, and nothing says otherwise"
    return AccountKind.UNKNOWN, NOTHING_SHOWN


def _has_power(account: Account, policy: GuardPolicy) -> bool:
    return bool(powers(account, policy)) or bool(account.marks & {Mark.ADMIN_COUNT, Mark.PROTECTED_USERS})


def _has_full_power(account: Account) -> bool:
    return any(group_name(each) in FULL_POWER for each in (*account.privileges, *account.eligible))


@lru_cache(maxsize=1024)
def _spelled(names: frozenset[str]) -> frozenset[str]:
    """Return names as they are compared; a client's lists are asked for each of its accounts."""
    return frozenset(map(login_of, names))


def _logins(identity: Identity) -> frozenset[str]:
    return frozenset(map(login_of, identity.account.logins))


def _key(identity: Identity) -> Key:
    return identity.directory, identity.object_id
