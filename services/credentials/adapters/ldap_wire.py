"""ldap3 as we use it: one blocking call each, and an answer that holds nothing of what was sent. For threads."""

import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import ldap3
from ldap3.core.exceptions import LDAPException

from chassis.errors import WrongSetting
from services.credentials.adapters.rules_ldap import Entry, told

Scope = Literal["BASE", "LEVEL", "SUBTREE"]
Changes = Mapping[str, Sequence[bytes]]
"""By attribute the values that it is to have, and no others."""

_PAGED: Final = "1.2.840.113556.1.4.319"
_EXPIRED: Final = "certificate has expired"  # OpenSSL's words
_DISTRUST: Final = ("CERTIFICATE_VERIFY_FAILED", "doesn't match any name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where a directory is, and what is trusted there: the authority of `ca_file` alone.

    Its certificate is made out to the host of `url`, or to `name`. Rates in operations; time-outs in whole seconds, as
    sockets want them.
    """

    url: str
    ca_file: Path
    name: str = ""
    timeout_seconds: int = 10
    page_size: int = 500
    calls_per_second: float = 50
    breaker_failures: int = 5
    breaker_seconds: float = 15

    @property
    def host(self) -> str:
        """Return the only host that is ever spoken to."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a server answered; `cookie` is where the next page begins, `said` what it says of us."""

    code: int
    words: str
    entries: Sequence[Entry] = ()
    cookie: bytes | None = None
    said: str = ""


def resolved(server: Server) -> ldap3.Server:
    """Return the server as ldap3 wants it: one authority trusted, a certificate made out to it demanded.

    Raises:
        WrongSetting: its address is none of LDAP over TLS, or the authority's file cannot be used.
    """
    parts = urlsplit(server.url)
    if parts.scheme != "ldaps" or not parts.hostname or parts.path not in {"", "/"}:
        raise WrongSetting(f"url: {server.url!r} is no ldaps:// address; passwords travel over TLS alone")
    try:
        ssl.create_default_context(cafile=str(server.ca_file))
    except (OSError, ssl.SSLError) as error:
        raise WrongSetting(f"ca: {server.ca_file.name}: {type(error).__name__}: it is no certificate (PEM)") from error
    names = [server.name] if server.name else None
    tls = ldap3.Tls(ca_certs_file=str(server.ca_file), validate=ssl.CERT_REQUIRED, valid_names=names)
    return ldap3.Server(
        parts.hostname,
        port=parts.port or 636,
        use_ssl=True,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=server.timeout_seconds,
    )


def connection_to(server: ldap3.Server, user: str, password: str, *, timeout_seconds: int) -> ldap3.Connection:
    """Return a connection that is not open yet, and that will follow no referral."""
    return ldap3.Connection(
        server,
        user=user,
        password=password,
        authentication=ldap3.SIMPLE,
        receive_timeout=timeout_seconds,
        auto_referrals=False,
        raise_exceptions=False,
        check_names=False,
    )


def bound(connection: ldap3.Connection) -> Result:
    """Open the connection and log in; the password is forgotten, since the connection's `repr` would show it."""
    try:
        connection.bind()
        return _result(connection)
    finally:
        connection.password = None


def searched(connection: ldap3.Connection, base: str, where: str, *, attributes: Sequence[str], scope: Scope) -> Result:
    """Ask for entries."""
    connection.search(base, where, scope, attributes=list(attributes))
    return _result(connection)


def page(
    connection: ldap3.Connection, base: str, where: str, *, attributes: Sequence[str], size: int, cookie: bytes | None
) -> Result:
    """Ask for one page of `size` entries, `cookie` being where the one before ended. Source: RFC 2696."""
    connection.search(
        base,
        where,
        ldap3.SUBTREE,
        attributes=list(attributes),
        paged_size=size,
        paged_criticality=True,
        paged_cookie=cookie,
    )
    return _result(connection)


def replaced(connection: ldap3.Connection, dn: str, changes: Changes) -> Result:
    """Give attributes other values."""
    steps = {name: [(ldap3.MODIFY_REPLACE, list(values))] for name, values in changes.items()}
    connection.modify(dn, steps)  # type: ignore[no-untyped-call]  # the stubs leave it out
    return _result(connection)


def password_set(connection: ldap3.Connection, dn: str, password: str) -> Result:
    """Set a password by the extended operation, so that the server hashes it. Source: RFC 3062."""
    connection.extend.standard.modify_password(user=dn, new_password=password)
    return _result(connection)


def asked_who(connection: ldap3.Connection) -> Result:
    """Ask who the server takes us for. Source: RFC 4532."""
    said = connection.extend.standard.who_am_i()
    return _result(connection, said=str(said or ""))


def broken(connection: ldap3.Connection) -> None:
    """Cut a connection that a thread may be waiting on."""
    with suppress(OSError, AttributeError):
        connection.socket.shutdown(2)


def dropped(connection: ldap3.Connection) -> None:
    """Say goodbye and close."""
    with suppress(LDAPException, OSError, AttributeError):
        connection.unbind()


def why_not_opened(error: Exception) -> str:
    """Return in words why a connection does not stand."""
    if _EXPIRED in str(error):
        return f"its {_EXPIRED}"
    if any(word in str(error) for word in _DISTRUST):
        return "its certificate is not the one that is trusted; look at `ca` and `name`"
    return f"no connection ({type(error).__name__})"


def _result(connection: ldap3.Connection, *, said: str = "") -> Result:
    """Return the last answer, and make the connection forget what was asked: it may have held a password."""
    result: dict[str, Any] = connection.result
    found = connection.response if isinstance(connection.response, list) else []
    entries = tuple(_entry(each) for each in found if each.get("type") == "searchResEntry")
    connection.request = None
    connection.response = None
    control = (result.get("controls") or {}).get(_PAGED, {})
    return Result(
        code=result["result"],
        words=told(result["result"], result["description"], result["message"] or ""),
        entries=entries,
        cookie=control.get("value", {}).get("cookie"),
        said=said,
    )


def _entry(shown: Mapping[str, Any]) -> Entry:
    """Return an entry; ldap3 shows what was asked for and is not there as an attribute without values."""
    values = {name.lower(): tuple(each) for name, each in shown["raw_attributes"].items() if each}
    return Entry(shown["dn"], values)
