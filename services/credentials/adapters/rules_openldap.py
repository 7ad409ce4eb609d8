"""What an entry of OpenLDAP says about an account. Pure.

Sources: slapo-ppolicy(5) of OpenLDAP 2.5 and draft-behera-ldap-password-policy-10 (`pwdChangedTime`,
`pwdAccountLockedTime`, `pwdReset`); RFC 2307 and RFC 4519 (classes and attributes); RFC 4530 (`entryUUID`).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from services.credentials.adapters.rules_ldap import Entry, closed_over, generalized_at, name_of
from services.credentials.records import Account, Authority, Mark

ACCOUNTS: Final = (
    "(|(objectClass=person)(objectClass=account)(objectClass=posixAccount)(objectClass=simpleSecurityObject))"
)
GROUPS: Final = (
    "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)(objectClass=posixGroup))"
)
GROUP_ATTRIBUTES: Final = ("cn", "member", "uniqueMember", "memberUid")
ATTRIBUTES: Final = (
    "entryUUID",
    "entryCSN",
    "objectClass",
    "uid",
    "cn",
    "displayName",
    "mail",
    "manager",
    "uidNumber",
    "krbPrincipalName",
    "pwdChangedTime",
    "pwdAccountLockedTime",
    "pwdReset",
    "pwdLastSuccess",
    "createTimestamp",
)
"""Never `userPassword` nor `pwdHistory`, which hold what must not leave the server."""

LOCKED_FOR_GOOD: Final = "000001010000Z"
POLICY_CONTROL: Final = "1.3.6.1.4.1.42.2.27.8.5.1"
"""What a server with password policies says that it knows."""

POWERS: Final = frozenset(
    {"admin", "admins", "administrators", "domain admins", "ldap-admins", "root", "sudo", "wheel"}
)
"""Names of groups that usually give power; LDAP itself knows none, so an operator names the others."""

_PERSONS: Final = frozenset({"person", "inetorgperson", "organizationalperson"})


class Groups:
    """The groups of a directory: which entry or login is in which, and their names."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take what a search for `GROUPS` found."""
        self._name_by_dn: dict[str, str] = {}
        self._groups_by_member: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            dn = normal(entry.dn)
            self._name_by_dn[dn] = entry.first("cn") or name_of(entry.dn)
            members = [normal(each) for name in ("member", "uniqueMember") for each in entry.all(name)]
            for member in (*members, *(_uid(each) for each in entry.all("memberUid"))):
                self._groups_by_member[member] = (*self._groups_by_member.get(member, ()), dn)

    def around(self, entry: Entry) -> tuple[str, ...]:
        """Return the names of all groups that an entry is in, directly or through others."""
        names = [normal(entry.dn), *(_uid(each) for each in entry.all("uid"))]
        direct = [group for each in names for group in self._groups_by_member.get(each, ())]
        return tuple(dict.fromkeys(self._name_by_dn[dn] for dn in closed_over(direct, self._groups_by_member)))


def account_of(entry: Entry, groups: Sequence[str], powers: Collection[str]) -> Account | None:
    """Return the account that an entry shows; `None`: we may not see its id. `powers` are groups, in lower case."""
    object_id = entry.first("entryUUID")
    if object_id is None:
        return None
    is_root = "uidnumber" in entry.values and entry.number("uidNumber") == 0
    strong = [each for each in groups if each.lower() in powers]
    return Account(
        object_id=object_id.lower(),
        logins=_logins(entry),
        name=entry.first("displayName") or entry.first("cn") or name_of(entry.dn),
        authority=Authority.ON_PREM,
        enabled=not is_locked_for_good(entry),
        mail=entry.first("mail"),
        marks=frozenset() if _is_person(entry) else frozenset({Mark.SERVICE_NAME}),
        privileges=(*strong, *(["uid 0"] if is_root else [])),
        groups=tuple(each for each in groups if each.lower() not in powers),
        password_changed_at=generalized_at(entry.first("pwdChangedTime")),
        created_at=generalized_at(entry.first("createTimestamp")),
        last_used_at=generalized_at(entry.first("pwdLastSuccess")),
        manager=entry.first("manager"),
    )


def is_locked_for_good(entry: Entry) -> bool:
    """Return whether an administrator locked the account; a lock with a moment ends by itself."""
    return entry.first("pwdAccountLockedTime") == LOCKED_FOR_GOOD


def has_changed(before: Entry, after: Entry) -> bool:
    """Return whether a later reading shows that the password was written.

    Its time has whole seconds; `entryCSN` moves with every change of an entry, within the second too.
    """
    then, now = (generalized_at(each.first("pwdChangedTime")) for each in (before, after))
    return now is not None and (then is None or now >= then) and before.first("entryCSN") != after.first("entryCSN")


def normal(dn: str) -> str:
    """Return a name as it is compared: lower case, no blanks around its parts."""
    return ",".join("=".join(side.strip() for side in part.split("=", 1)) for part in dn.lower().split(","))


def _logins(entry: Entry) -> tuple[str, ...]:
    said = [*entry.all("mail"), *entry.all("uid"), *entry.all("krbPrincipalName"), entry.dn]
    return tuple(dict.fromkeys(each.lower() for each in said))


def _is_person(entry: Entry) -> bool:
    return bool({each.lower() for each in entry.all("objectClass")} & _PERSONS)


def _uid(text: str) -> str:
    return f"uid:{text.lower()}"
