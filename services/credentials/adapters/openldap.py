"""OpenLDAP with password policies over LDAPS: who is there, and how an exposed password is made invalid.

Sources: slapo-ppolicy(5) of OpenLDAP 2.5; RFC 3062 (setting a password), RFC 4532 (who am I). Shown in the tests
against a real slapd.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from pydantic import Field

from services.credentials.adapters import rules_openldap as rules
from services.credentials.adapters.directory import NoSuchAccount, NotAllowed, NotAsWritten
from services.credentials.adapters.ldap import Ldap, after_a_write
from services.credentials.adapters.ldap_wire import Server
from services.credentials.adapters.link import Link, Options, Secrets, options_of
from services.credentials.adapters.random_password import random_password
from services.credentials.adapters.rules_ldap import Entry, domain_of, escaped, is_uuid, words_of
from services.credentials.records import Account

TAIL: Final = (
    "connections that logged in before stay logged in until they are closed, and so do the sessions of applications "
    "that asked the directory once; LDAP has no session that could be ended"
)


class OpenLdapOptions(Options):
    """What an operator says of a directory. File names are of files below the directory of secrets."""

    url: str = Field(description="ldaps:// and the name of one server that can be written to")
    user: str = Field(min_length=1, description="our account's distinguished name")
    ca: str = Field(min_length=1, description="file with the certificate (PEM) of the authority to trust")
    base: str = Field(min_length=1, description="the suffix, such as dc=corp,dc=test; groups are looked for below it")
    people: str = Field(default="", description="where accounts are looked for; empty: below the base")
    certificate_name: str = Field(default="", description="what the certificate is made out to, if not the url's host")
    admin_groups: str = Field(default="", description="groups that give power besides the usual names, by commas")
    domains: str = Field(default="", description="the client's domains besides the one in the base, by commas")


class OpenLdap:
    """One directory, through one of its servers."""

    def __init__(self, ldap: Ldap, options: OpenLdapOptions) -> None:
        """Take the connection; nothing is sent yet."""
        self._ldap = ldap
        self._options = options
        self._powers = rules.POWERS | words_of(options.admin_groups)

    async def accounts(self) -> AsyncIterator[Sequence[Account]]:
        """Yield all accounts in pages."""
        groups = await self._groups()
        async for page in self._ldap.pages(self._people, rules.ACCOUNTS, rules.ATTRIBUTES):
            shown = [rules.account_of(entry, groups.around(entry), self._powers) for entry in page]
            yield [each for each in shown if each is not None]

    async def account(self, object_id: str) -> Account | None:
        """Return one account as it is now."""
        entry = await self._entry(object_id)
        if entry is None:
            return None
        return rules.account_of(entry, (await self._groups()).around(entry), self._powers)

    async def domains(self) -> frozenset[str]:
        """Return the domain that the base spells, and those an operator named; LDAP verifies none."""
        spelled = domain_of(self._options.base)
        return words_of(self._options.domains) | ({spelled} if spelled else set())

    async def own_id(self) -> str | None:
        """Return the id of our account; `None` where the server lets us in without an entry."""
        said = await self._ldap.whoami()
        if not said.startswith("dn:"):
            return None
        own = await self._ldap.one(said[3:], "(objectClass=*)", ["entryUUID"], scope="BASE")
        raw = own.first("entryUUID") if own else None
        return raw.lower() if raw else None

    async def invalidate(self, object_id: str) -> None:
        """Give the account a random password, and read back that the server changed it. May be repeated."""
        before = await self._changeable(object_id)
        await self._ldap.set_password(before.dn, random_password().get_secret_value())
        with after_a_write():
            after = await self._entry(object_id)
        if after is None:
            raise NoSuchAccount("the account went away while its password was changed")
        if not rules.has_changed(before, after):
            raise NotAsWritten("the server accepted the password, and shows no later change of it")

    async def revoke(self, object_id: str) -> str:
        """Do nothing, since nothing can be ended here, and say what stays alive."""
        if await self._entry(object_id) is None:
            raise NoSuchAccount("there is no account of this id any more")
        return TAIL

    async def close(self) -> None:
        """Let go of the connection."""
        await self._ldap.close()

    async def _changeable(self, object_id: str) -> Entry:
        """Return the entry, if a machine may set its password at all."""
        entry = await self._entry(object_id)
        if entry is None:
            raise NoSuchAccount("there is no account of this id any more")
        if rules.is_locked_for_good(entry):
            raise NotAllowed("an administrator locked the account, and a new password would unlock it")
        if object_id.lower() == await self.own_id():
            raise NotAllowed("no machine changes this password: it is our own account's")
        root = await self._ldap.one("", "(objectClass=*)", ["supportedControl"], scope="BASE")
        if root is None or rules.POLICY_CONTROL not in root.all("supportedControl"):
            raise NotAllowed("the server keeps no times of changes (ppolicy): nobody could tell whether it worked")
        return entry

    async def _entry(self, object_id: str) -> Entry | None:
        if not is_uuid(object_id):
            return None
        return await self._ldap.one(self._people, f"(entryUUID={escaped(object_id)})", rules.ATTRIBUTES)

    async def _groups(self) -> rules.Groups:
        pages = self._ldap.pages(self._options.base, rules.GROUPS, rules.GROUP_ATTRIBUTES)
        return rules.Groups([entry async for page in pages for entry in page])

    @property
    def _people(self) -> str:
        return self._options.people or self._options.base


def connect(link: Link, secrets: Secrets) -> OpenLdap:
    """Return the directory of that link.

    Raises:
        WrongSetting: an option or a file is wrong.
    """
    options = options_of(link, OpenLdapOptions)
    server = Server(url=options.url, ca_file=secrets.path(options.ca), name=options.certificate_name)
    return OpenLdap(Ldap(server, options.user, secrets.reader(link.secret)), options)
