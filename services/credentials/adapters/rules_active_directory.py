"""What an entry of Active Directory says about an account. Pure.

Sources: Microsoft Open Specifications MS-ADTS (attributes, `userAccountControl`), MS-SAMR 2.2.1.12 (flags), MS-DTYP
2.4.2.4 (well-known identifiers); Microsoft Learn, "Appendix C: protected accounts and groups in Active Directory".
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from services.credentials.adapters.rules_ldap import Entry, closed_over, filetime_at, generalized_at, guid_of, sid_of
from services.credentials.records import Account, Authority, Mark

ACCOUNTS: Final = (
    "(|(&(objectCategory=person)(objectClass=user))"
    "(objectClass=msDS-GroupManagedServiceAccount)(objectClass=msDS-ManagedServiceAccount))"
)
"""Everything that logs in and is no computer."""

GROUPS: Final = "(&(objectClass=group)(groupType:1.2.840.113556.1.4.803:=2147483648))"
"""Security groups: a distribution list gives no power."""

GROUP_ATTRIBUTES: Final = ("sAMAccountName", "objectSid", "memberOf")
ATTRIBUTES: Final = (
    "objectGUID",
    "objectSid",
    "objectClass",
    "sAMAccountName",
    "userPrincipalName",
    "displayName",
    "cn",
    "mail",
    "proxyAddresses",
    "userAccountControl",
    "pwdLastSet",
    "whenCreated",
    "lastLogonTimestamp",
    "adminCount",
    "isCriticalSystemObject",
    "memberOf",
    "primaryGroupID",
    "servicePrincipalName",
    "manager",
    "msExchRecipientTypeDetails",
)

DISABLED: Final = 0x2
NEVER_EXPIRES: Final = 0x10000
SMARTCARD: Final = 0x40000
TRUSTED_FOR_DELEGATION: Final = 0x80000
TRUSTED_TO_ACT: Final = 0x1000000
TRUSTS: Final = 0x800 | 0x1000 | 0x2000
"""Accounts of trusts between domains, of computers, and of domain controllers."""


POWERS: Final[Mapping[str, str]] = {
    "S-1-5-32-544": "Administrators",
    "S-1-5-32-548": "Account Operators",
    "S-1-5-32-549": "Server Operators",
    "S-1-5-32-550": "Print Operators",
    "S-1-5-32-551": "Backup Operators",
    "S-1-5-32-552": "Replicator",
    "498": "Enterprise Read-only Domain Controllers",
    "512": "Domain Admins",
    "516": "Domain Controllers",
    "518": "Schema Admins",
    "519": "Enterprise Admins",
    "520": "Group Policy Creator Owners",
    "521": "Read-only Domain Controllers",
    "526": "Key Admins",
    "527": "Enterprise Key Admins",
}
"""Groups that give power, by identifier, or by its last part where they are a domain's: names are translated."""

POWERS_BY_NAME: Final = frozenset(
    {"dnsadmins", "cert publishers", "exchange windows permissions", "organization management"}
)
PROTECTED_USERS: Final = "525"
BUILT_IN: Final = frozenset({"500", "501", "502", "503", "504"})
"""Administrator, Guest, krbtgt, DefaultAccount, WDAGUtilityAccount."""

KRBTGT: Final = "502"
_KRBTGT_NAME: Final = re.compile(r"krbtgt(_\d+)?$", re.IGNORECASE)  # `krbtgt_12345`: a read-only controller's
_SYNC_NAME: Final = re.compile(r"(msol_|aad_|adsync|sync_)", re.IGNORECASE)
_MANAGED: Final = frozenset({"msds-groupmanagedserviceaccount", "msds-managedserviceaccount"})
_MAILBOXES: Final[Mapping[int, Mark]] = {4: Mark.SHARED_MAILBOX, 16: Mark.RESOURCE, 32: Mark.RESOURCE}
"""Of `msExchRecipientTypeDetails`. Source: Microsoft Learn, "RecipientTypeDetails" values."""


class Groups:
    """The security groups of a domain: their names, and which is in which."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take what a search for `GROUPS` found."""
        self._name_by_sid: dict[str, str] = {}
        self._sid_by_dn: dict[str, str] = {}
        parents: dict[str, tuple[str, ...]] = {}
        for entry in entries:
            raw = entry.raw("objectSid")
            if raw is None:
                continue
            sid = sid_of(raw)
            self._name_by_sid[sid] = entry.first("sAMAccountName") or sid
            self._sid_by_dn[entry.dn.lower()] = sid
            parents[sid] = entry.all("memberOf")
        self._parents = {sid: self.sids(names) for sid, names in parents.items()}

    def sids(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the identifiers of groups by their distinguished names; what is no security group is left out."""
        return tuple(sid for each in names if (sid := self._sid_by_dn.get(each.lower())) is not None)

    def name(self, sid: str) -> str:
        """Return a group's name, the well-known one where it has one."""
        return _power(sid) or self._name_by_sid.get(sid, sid)

    def around(self, entry: Entry) -> tuple[str, ...]:
        """Return all groups that an account is in, directly, through others, or as its primary group."""
        raw = entry.raw("objectSid")
        primary = f"{sid_of(raw).rpartition('-')[0]}-{entry.number('primaryGroupID')}" if raw else ""
        direct = [*self.sids(entry.all("memberOf")), *([primary] if primary in self._name_by_sid else [])]
        return closed_over(direct, self._parents)


def account_of(entry: Entry, sids: Sequence[str], groups: Groups, *, domain: str, netbios: str) -> Account | None:
    """Return the account that an entry shows, `sids` being all the groups it is in; `None`: we may not see its id."""
    raw = entry.raw("objectGUID")
    if raw is None:
        return None
    flags = entry.number("userAccountControl")
    name = entry.first("sAMAccountName") or ""
    powers = [each for sid in sids if (each := power_of(sid, groups)) is not None]
    return Account(
        object_id=guid_of(raw),
        logins=_logins(entry, name, domain=domain, netbios=netbios),
        name=entry.first("displayName") or entry.first("cn") or name,
        authority=Authority.ON_PREM,
        enabled=bool(entry.values.get("useraccountcontrol")) and not flags & DISABLED,
        mail=entry.first("mail"),
        marks=marks(entry, sids),
        privileges=tuple(dict.fromkeys([*powers, *_delegated(flags)])),
        groups=tuple(groups.name(sid) for sid in sids if power_of(sid, groups) is None),
        password_changed_at=filetime_at(entry.number("pwdLastSet")),
        created_at=generalized_at(entry.first("whenCreated")),
        last_used_at=filetime_at(entry.number("lastLogonTimestamp")),
        manager=entry.first("manager"),
    )


def power_of(sid: str, groups: Groups) -> str | None:
    """Return the name of a group that gives power; `None` for every other."""
    if known := _power(sid):
        return known
    name = groups.name(sid)
    return name if name.lower() in POWERS_BY_NAME else None


def marks(entry: Entry, sids: Collection[str]) -> frozenset[Mark]:
    """Return what can be seen at an account."""
    flags = entry.number("userAccountControl")
    kinds = {each.lower() for each in entry.all("objectClass")}
    seen = {
        Mark.NEVER_EXPIRES: bool(flags & NEVER_EXPIRES),
        Mark.SMARTCARD: bool(flags & SMARTCARD),
        Mark.SERVICE_NAME: bool(entry.values.get("serviceprincipalname")),
        Mark.MANAGED_SERVICE: bool(kinds & _MANAGED),
        Mark.ADMIN_COUNT: entry.number("adminCount") > 0,
        Mark.BUILT_IN: _rid(entry) in BUILT_IN or is_krbtgt(entry) or bool(flags & TRUSTS),
        Mark.PROTECTED_USERS: any(_is_domains(sid, PROTECTED_USERS) for sid in sids),
        Mark.SYNC: _SYNC_NAME.match(entry.first("sAMAccountName") or "") is not None,
    }
    mailbox = _MAILBOXES.get(entry.number("msExchRecipientTypeDetails"))
    return frozenset({mark for mark, is_there in seen.items() if is_there} | ({mailbox} if mailbox else set()))


def never_ours(entry: Entry) -> str | None:
    """Return why no machine ever sets this account's password, whatever was decided; `None`: nothing forbids it."""
    seen = marks(entry, ())
    if entry.number("userAccountControl") & TRUSTS:
        return "it is a computer's, or stands for the trust between two domains"
    if is_krbtgt(entry):
        return "it is the key of the whole domain (krbtgt)"
    if Mark.MANAGED_SERVICE in seen:
        return "the domain itself changes the password of a managed service account"
    if Mark.SERVICE_NAME in seen:
        return "a service is registered under its name (servicePrincipalName)"
    return None


def is_krbtgt(entry: Entry) -> bool:
    """Return whether it is the account whose key signs every ticket of the domain, or a read-only controller's."""
    return _rid(entry) == KRBTGT or _KRBTGT_NAME.match(entry.first("sAMAccountName") or "") is not None


def _logins(entry: Entry, name: str, *, domain: str, netbios: str) -> tuple[str, ...]:
    """Return every name that somebody may log in or be known by, the address for people first, each once."""
    aliases = [each[5:] for each in entry.all("proxyAddresses") if each[:5].lower() == "smtp:"]
    upn, mail = entry.first("userPrincipalName"), entry.first("mail")
    implicit = [f"{name}@{domain}", name, *([f"{netbios}\\{name}"] if netbios else [])] if name else []
    said = [each.lower() for each in (upn, mail, *aliases, *implicit) if each]
    return tuple(dict.fromkeys(said))


def _delegated(flags: int) -> list[str]:
    known = {TRUSTED_FOR_DELEGATION: "trusted for delegation", TRUSTED_TO_ACT: "trusted to act for others"}
    return [name for flag, name in known.items() if flags & flag]


def _power(sid: str) -> str | None:
    if sid.startswith("S-1-5-32-"):
        return POWERS.get(sid)
    return POWERS.get(sid.rpartition("-")[2]) if sid.startswith("S-1-5-21-") else None


def _is_domains(sid: str, rid: str) -> bool:
    return sid.startswith("S-1-5-21-") and sid.rpartition("-")[2] == rid


def _rid(entry: Entry) -> str:
    raw = entry.raw("objectSid")
    return sid_of(raw).rpartition("-")[2] if raw else ""
