"""Real directories through the eyes of their administrators, and our adapters on them."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import UUID

import ldap3
from pydantic import SecretStr

from patchline.local.samba import Samba
from patchline.local.slapd import GROUPS, PEOPLE, SUFFIX, Slapd
from services.credentials.adapters.active_directory import ActiveDirectory
from services.credentials.adapters.ldap import Ldap
from services.credentials.adapters.ldap_wire import Changes, Server
from services.credentials.adapters.openldap import OpenLdap, OpenLdapOptions
from services.credentials.adapters.rules_ldap import sid_of
from services.credentials.records import Account

PASSWORD = "Start-Passw0rd1"
NORMAL = 512
NEVER_EXPIRES = 0x10000


def server_of(local: Samba | Slapd, **more: Any) -> Server:
    server = Server(url=local.url, ca_file=local.authority, name=local.certificate_name, timeout_seconds=5)
    return replace(server, **more)


@dataclass
class Admin:
    """An administrator of one of the two."""

    local: Samba | Slapd
    on: Any  # a connection of ldap3, whose stubs leave out what it writes with
    made: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def of(cls, local: Samba | Slapd) -> "Iterator[Self]":
        login = local.administrator if isinstance(local, Samba) else local.root
        admin = cls(local, connection(local, login.user, login.password))
        assert admin.on.bind(), admin.on.result
        try:
            yield admin
        finally:
            for dn in reversed(admin.made):
                admin.on.delete(dn)
            admin.on.unbind()

    def add(self, dn: str, classes: Sequence[str], attributes: dict[str, Any]) -> str:
        assert self.on.add(dn, list(classes), attributes), self.on.result
        self.made.append(dn)
        return dn

    def change(self, dn: str, **values: Any) -> None:
        changes = {name.replace("_", "-"): [(ldap3.MODIFY_REPLACE, each)] for name, each in values.items()}
        assert self.on.modify(dn, changes), self.on.result

    def read(self, dn: str, *names: str) -> dict[str, list[bytes]]:
        assert self.on.search(dn, "(objectClass=*)", ldap3.BASE, attributes=list(names)), self.on.result
        [shown] = self.on.response or []
        found: dict[str, list[bytes]] = shown["raw_attributes"]
        return found

    def binds(self, name: str, password: str = PASSWORD) -> bool:
        """Return whether somebody logs in with that password, over TLS."""
        user = f"{name}@corp.test" if isinstance(self.local, Samba) else f"uid={name},{PEOPLE}"
        tried = connection(self.local, user, password)
        try:
            return bool(tried.bind())
        finally:
            tried.unbind()


class DomainAdmin(Admin):
    """An administrator of a domain."""

    local: Samba

    def person(self, name: str, *, unit: str = "", flags: int = NORMAL, **more: Any) -> str:
        """Make somebody who can log in, and return the immutable id."""
        dn = f"CN={name},{unit or self.local.people}"
        names = {"sAMAccountName": name, "userPrincipalName": f"{name}@corp.test", "mail": f"{name}@corp.test"}
        self.add(dn, ["top", "person", "organizationalPerson", "user"], names | more)
        self.set_password(dn)
        self.change(dn, userAccountControl=[flags])
        return self.id_of(dn)

    def set_password(self, dn: str, password: str = PASSWORD) -> None:
        self.change(dn, unicodePwd=[f'"{password}"'.encode("utf-16-le")])

    def group(self, name: str, *members: str) -> str:
        dn = f"CN={name},CN=Users,{self.local.suffix}"
        return self.add(dn, ["top", "group"], {"sAMAccountName": name, "member": list(members)})

    def join(self, group: str, member: str) -> None:
        joined = {"member": [(ldap3.MODIFY_ADD, [member])]}
        assert self.on.modify(group, joined), self.on.result

    def dn(self, name: str) -> str:
        return f"CN={name},{self.local.people}"

    def id_of(self, dn: str) -> str:
        return str(UUID(bytes_le=self.read(dn, "objectGUID")["objectGUID"][0]))

    def sid_of(self, dn: str) -> str:
        return sid_of(self.read(dn, "objectSid")["objectSid"][0])

    def deny(self, dn: str, right: str, sid: str) -> None:
        """Take a right on one entry from somebody, such as `RP;` and an attribute's identifier."""
        place = self.local.database
        files = ("-H", f"{place}/private/sam.ldb", "-s", f"{place}/etc/smb.conf")
        rule = ("--objectdn", dn, "--sddl", f"(OD;;{right};;{sid})")
        subprocess.run(["samba-tool", "dsacl", "set", *files, *rule], check=True, capture_output=True, timeout=30)

    def changed(self, dn: str) -> int:
        return int(self.read(dn, "pwdLastSet")["pwdLastSet"][0])


class SlapdAdmin(Admin):
    """An administrator of an OpenLDAP."""

    def person(self, name: str, **more: Any) -> str:
        """Make somebody who can log in, and return the immutable id."""
        dn = f"uid={name},{PEOPLE}"
        values = {"uid": name, "cn": name, "sn": name, "mail": f"{name}@corp.test", "userPassword": PASSWORD}
        self.add(dn, ["inetOrgPerson"], values | more)
        return self.id_of(dn)

    def set_password(self, dn: str, password: str = PASSWORD) -> None:
        """Set a password so that the server keeps the time."""
        assert self.on.extend.standard.modify_password(user=dn, new_password=password), self.on.result

    def group(self, name: str, *members: str) -> str:
        return self.add(f"cn={name},{GROUPS}", ["groupOfNames"], {"cn": name, "member": list(members)})

    def dn(self, name: str) -> str:
        return f"uid={name},{PEOPLE}"

    def id_of(self, dn: str) -> str:
        return self.read(dn, "entryUUID")["entryUUID"][0].decode()


def connection(local: Samba | Slapd, user: str, password: str) -> ldap3.Connection:
    tls = ldap3.Tls(
        ca_certs_file=str(local.authority), validate=ssl.CERT_REQUIRED, valid_names=[local.certificate_name]
    )
    server = ldap3.Server(local.url, tls=tls, get_info=ldap3.NONE, connect_timeout=5)
    return ldap3.Connection(
        server, user=user, password=password, receive_timeout=10, check_names=False, auto_referrals=False
    )


class Deaf(Ldap):
    """A server that says yes to every write and does nothing."""

    async def replace(self, dn: str, changes: Changes) -> None:
        """Say yes."""

    async def set_password(self, dn: str, password: str) -> None:
        """Say yes."""


def active_directory(
    local: Samba, *, password: str = "", base: str = "", kind: type[Ldap] = Ldap, **limits: Any
) -> ActiveDirectory:
    """Return the adapter on a real domain, as our own account."""
    login = local.connector
    ldap = kind(server_of(local, **limits), login.user, lambda: SecretStr(password or login.password))
    return ActiveDirectory(ldap, base=base, domains=frozenset({"corp.example.com"}))


def open_ldap(local: Slapd, *, password: str = "", kind: type[Ldap] = Ldap, **limits: Any) -> OpenLdap:
    """Return the adapter on a real OpenLDAP, as our own account."""
    login = local.connector
    options = OpenLdapOptions(url=local.url, user=login.user, ca="ca", base=SUFFIX, domains="corp.example.com")
    return OpenLdap(
        kind(server_of(local, **limits), login.user, lambda: SecretStr(password or login.password)), options
    )


async def all_accounts(directory: ActiveDirectory | OpenLdap) -> dict[str, Account]:
    """Return every account by its first login's name."""
    return {each.logins[0].partition("@")[0]: each async for page in directory.accounts() for each in page}


class Wire:
    """What stands between us and a server: passes everything on until it cuts or keeps silent."""

    def __init__(self, host: str, port: int, *, cut_after: int | None, silent: bool = False) -> None:
        self._target = (host, port)
        self._left = cut_after
        self._silent = silent
        self.port = 0

    @classmethod
    @asynccontextmanager
    async def to(
        cls, local: Samba | Slapd, *, cut_after: int | None = None, silent: bool = False
    ) -> "AsyncIterator[Self]":
        """Stand before `local`; `cut_after`: so many portions of ours pass, and the last one's answer never comes."""
        host, _, port = local.url.removeprefix("ldaps://").partition(":")
        wire = cls(host, int(port or 636), cut_after=cut_after, silent=silent)
        server = await asyncio.start_server(wire._between, "127.0.0.1", 0)
        wire.port = server.sockets[0].getsockname()[1]
        try:
            yield wire
        finally:
            server.close()

    @property
    def url(self) -> str:
        return f"ldaps://127.0.0.1:{self.port}"

    async def _between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._silent:
            await reader.read()
            writer.close()
            return
        there, back = await asyncio.open_connection(*self._target)
        answers = asyncio.create_task(_passed(there, writer))
        try:
            while portion := await reader.read(65536):
                last = self._left == 1
                if last:
                    answers.cancel()
                back.write(portion)
                await back.drain()
                if last:
                    await asyncio.sleep(0.1)  # the server does what it was told, and nobody hears of it
                    break
                self._left = None if self._left is None else self._left - 1
        finally:
            answers.cancel()
            back.close()
            writer.close()


async def _passed(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while portion := await source.read(65536):
        target.write(portion)
        await target.drain()
