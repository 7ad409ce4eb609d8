"""Active Directory over LDAPS: who is there, whose password it is, and how an exposed one is made invalid.

Sources: Microsoft Open Specifications MS-ADTS 3.1.1.3.1.5 (`unicodePwd`), 3.1.1.1.8 (`<GUID=...>` names); Microsoft
Learn, "Revoke user access" (reset twice), "NTLM user authentication" (the password before the last one stays valid for
an hour, so that one change alone leaves the exposed one working).
Shown in the tests against a real domain controller.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import Field

from services.credentials.adapters import rules_active_directory as rules
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten
from services.credentials.adapters.ldap import Ldap, LdapRefused, after_a_write
from services.credentials.adapters.ldap_wire import Server
from services.credentials.adapters.link import Link, Options, Secrets, options_of
from services.credentials.adapters.random_password import random_password
from services.credentials.adapters.rules_ldap import Entry, domain_of, escaped, guid_of, is_uuid, sid_of, words_of
from services.credentials.records import Account

TAIL: Final = (
    "Kerberos tickets that were given out stay valid until they end (10 hours unless the domain says otherwise), and "
    "so do open sessions and what a computer remembers for logging in without the network; Active Directory cannot "
    "end them"
)


class ActiveDirectoryOptions(Options):
    """What an operator says of a domain. File names are of files below the directory of secrets."""

    url: str = Field(description="ldaps:// and the name of one writable domain controller")
    user: str = Field(min_length=1, description="our account, as name@domain")
    ca: str = Field(min_length=1, description="file with the certificate (PEM) of the authority to trust")
    certificate_name: str = Field(default="", description="what the certificate is made out to, if not the url's host")
    base: str = Field(default="", description="where accounts are looked for; empty: in the whole domain")
    domains: str = Field(default="", description="the client's domains besides those the directory tells, by commas")


@dataclass(frozen=True, slots=True)
class Domain:
    """What a domain says about itself."""

    base: str
    configuration: str
    netbios: str
    names: frozenset[str]

    @property
    def name(self) -> str:
        """Return the DNS name."""
        return domain_of(self.base) or ""


class ActiveDirectory:
    """One domain, through one of its controllers."""

    def __init__(self, ldap: Ldap, *, base: str = "", domains: frozenset[str] = frozenset()) -> None:
        """Take the connection; nothing is sent yet."""
        self._ldap = ldap
        self._base = base
        self._extra = domains
        self._known: Domain | None = None

    async def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield all accounts in pages."""
        domain = await self._domain()
        groups = await self._groups(domain)
        async for page in self._ldap.pages(self._base or domain.base, rules.ACCOUNTS, rules.ATTRIBUTES):
            shown = [self._account(entry, groups.around(entry), groups, domain) for entry in page]
            yield [each for each in shown if each is not None]

    async def account(self, object_id: str) -> Account | None:
        """Return one account as it is now, with the groups that the domain itself counts for it."""
        entry = await self._entry(object_id, (*rules.ATTRIBUTES, "tokenGroups"))
        if entry is None:
            return None
        domain = await self._domain()
        sids = [sid_of(each) for each in entry.values.get("tokengroups", ())]
        if sids:
            return self._account(entry, sids, await self._named(sids), domain)
        groups = await self._groups(domain)  # we may not read what the domain counts, so we count ourselves
        return self._account(entry, groups.around(entry), groups, domain)

    async def domains(self) -> frozenset[str]:
        """Return the domain's own name, the suffixes that its administrators added, and those an operator named."""
        return (await self._domain()).names | self._extra

    async def own_id(self) -> str | None:
        """Return the id of our account: the first of the identifiers that the server gives us."""
        root = await self._ldap.one("", "(objectClass=*)", ["tokenGroups"], scope="BASE")
        sids = root.values.get("tokengroups", ()) if root else ()
        if not sids:
            return None
        own = await self._ldap.one(f"<SID={sid_of(sids[0])}>", "(objectClass=*)", ["objectGUID"], scope="BASE")
        raw = own.raw("objectGUID") if own else None
        return guid_of(raw) if raw else None

    async def invalidate(self, object_id: str) -> None:
        """Give the account two random passwords, one after the other, and read back that the domain changed them.

        May be repeated. The first write also takes away the time of the last change: an account that was left half-way,
        where the exposed password works for another hour, shows no change at all instead of a new one.
        """
        before = await self._changeable(object_id)
        await self._ldap.replace(before.dn, {"unicodePwd": [_drawn()], "pwdLastSet": [b"0"]})
        with after_a_write():
            await self._ldap.replace(before.dn, {"unicodePwd": [_drawn()]})
            after = await self._entry(object_id, ["pwdLastSet"])
        if after is None:
            raise NoSuchAccount("the account went away while its password was changed")
        if after.number("pwdLastSet") <= before.number("pwdLastSet"):
            raise NotAsWritten("the domain controller accepted the password, and shows no later change of it")

    async def revoke(self, object_id: str) -> str:
        """Do nothing, since nothing can be ended here, and say what stays alive."""
        if await self._entry(object_id, ["objectGUID"]) is None:
            raise NoSuchAccount("there is no account of this id any more")
        return TAIL

    async def close(self) -> None:
        """Let go of the connection."""
        await self._ldap.close()

    async def _changeable(self, object_id: str) -> Entry:
        """Return the entry, if a machine may set its password at all."""
        entry = await self._entry(object_id, rules.ATTRIBUTES)
        if entry is None:
            raise NoSuchAccount("there is no account of this id any more")
        if "pwdlastset" not in entry.values:
            raise NotAllowed("we may not read pwdLastSet, so nobody could tell whether it worked; delegate reading it")
        if why := rules.never_ours(entry):
            raise NotAllowed(f"no machine changes this password: {why}")
        if object_id == await self.own_id():
            raise NotAllowed("no machine changes this password: it is our own account's")
        return entry

    async def _entry(self, object_id: str, attributes: Sequence[str]) -> Entry | None:
        if not is_uuid(object_id):
            return None
        return await self._ldap.one(f"<GUID={object_id}>", "(objectClass=*)", attributes, scope="BASE")

    async def _groups(self, domain: Domain) -> rules.Groups:
        pages = self._ldap.pages(domain.base, rules.GROUPS, rules.GROUP_ATTRIBUTES)
        return rules.Groups([entry async for page in pages for entry in page])

    async def _named(self, sids: Sequence[str]) -> rules.Groups:
        if not sids:
            return rules.Groups([])
        wanted = "".join(f"(objectSid={each})" for each in sids)
        found = await self._ldap.search((await self._domain()).base, f"(|{wanted})", rules.GROUP_ATTRIBUTES)
        return rules.Groups(found)

    async def _domain(self) -> Domain:
        """Return what the domain says about itself, asked once."""
        if self._known is None:
            self._known = await self._asked()
        return self._known

    async def _asked(self) -> Domain:
        names = ["defaultNamingContext", "configurationNamingContext"]
        root = await self._ldap.one("", "(objectClass=*)", names, scope="BASE")
        base = root.first("defaultNamingContext") if root else None
        configuration = root.first("configurationNamingContext") if root else None
        if not base or not configuration:
            raise LdapRefused(f"{self._ldap.host} does not answer as a domain controller; is this Active Directory?")
        partitions = f"CN=Partitions,{configuration}"
        [parts, suffixes] = [
            await self._ldap.search(partitions, f"(nCName={escaped(base)})", ["nETBIOSName", "dnsRoot"], scope="LEVEL"),
            await self._ldap.search(partitions, "(objectClass=*)", ["uPNSuffixes"], scope="BASE"),
        ]
        own = [domain_of(base) or "", *(name for each in parts for name in each.all("dnsRoot"))]
        added = [name for each in suffixes for name in each.all("uPNSuffixes")]
        netbios = next((name for each in parts for name in each.all("nETBIOSName")), "")
        return Domain(base, configuration, netbios, frozenset(each.lower() for each in (*own, *added) if each))

    def _account(self, entry: Entry, sids: Sequence[str], groups: rules.Groups, domain: Domain) -> Account | None:
        return rules.account_of(entry, sids, groups, domain=domain.name, netbios=domain.netbios)


def _drawn() -> bytes:
    """Return a random password as `unicodePwd` wants it: in quotes, UTF-16."""
    return f'"{random_password().get_secret_value()}"'.encode("utf-16-le")


def connect(link: Link, secrets: Secrets) -> ActiveDirectory:
    """Return the directory of that link.

    Raises:
        WrongSetting: an option or a file is wrong.
    """
    options = options_of(link, ActiveDirectoryOptions)
    server = Server(url=options.url, ca_file=secrets.path(options.ca), name=options.certificate_name)
    ldap = Ldap(server, options.user, secrets.reader(link.secret))
    return ActiveDirectory(ldap, base=options.base, domains=words_of(options.domains))
