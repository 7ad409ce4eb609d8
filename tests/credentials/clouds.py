"""The three cloud directories against their simulators, in one process."""

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from chassis.http import Policy
from services.credentials.adapters import entra, google, okta
from services.credentials.adapters.directory import Directory
from simulators import entra_login
from simulators import google as simulated_google
from simulators import okta as simulated_okta
from simulators.entra import Entra
from simulators.google import Google
from simulators.google_rows import SUPER_ADMIN, google_id
from simulators.identities import Person, Provider, person
from simulators.okta import Okta, okta_id

EXPOSED = "Summer-2024-exposed"
POLICY = Policy(calls_per_second=100_000, burst=10_000, timeout_seconds=5)
GRAPH = "https://graph.microsoft.com"
LOGIN = "https://login.microsoftonline.com"
OKTA = "https://acme.okta.com"


@dataclass
class Lost(httpx.AsyncBaseTransport):
    """Carries calls to an app; the answers to those that match are lost, although they arrived."""

    inner: httpx.AsyncBaseTransport
    method: str = ""
    losing: bool = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if self.losing and request.method == self.method:
            raise httpx.ReadTimeout("no answer in time", request=request)
        return response


@dataclass
class Given:
    """One directory, its simulated provider, Jane, whose password is exposed, and who else is there."""

    kind: str
    directory: Directory
    idp: Any
    jane: Person
    admin: Person
    wire: Lost
    writes: str
    """The method that writes a password."""
    waits: list[float]
    others: dict[str, Person]
    connected: Callable[[], Directory]
    """Returns another connection to the same directory."""

    async def opens(self, login: str, password: str) -> bool:
        """Return whether somebody can sign in so, at the provider itself."""
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.idp)) as client:
            if isinstance(self.idp, Entra):
                form = {"grant_type": "password", "username": login, "password": password}
                return (await client.post(LOGIN + entra_login.PATH, data=form)).is_success
            if isinstance(self.idp, Okta):
                body = {"username": login, "password": password}
                return (await client.post(f"{OKTA}/api/v1/authn", json=body)).is_success
            body = {"login": login, "password": password}
            return (await client.post("https://admin.googleapis.com/_idp/sign_in", json=body)).is_success

    def written(self) -> str:
        """Return the password that was written last."""
        calls = (call for call in self.idp.calls if call.method == self.writes and "/users/" in call.path and call.body)
        bodies = [json.loads(call.body) for call in calls]
        return str(next(iter(_passwords(bodies[-1]))))


def _passwords(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [each for key in ("password", "value") if isinstance(each := value.get(key), str)]
        return found + [each for inner in value.values() for each in _passwords(inner)]
    return []


def people(identity: Callable[[str], str], *extra: Person) -> tuple[Person, Person, list[Person]]:
    """Return Jane, an administrator, and everybody."""
    jane = person("jane.doe@acme.example", password=EXPOSED, identity=identity("jane.doe@acme.example"))
    jane.aliases = ("jane@acme.example",)
    admin = person("otto.admin@acme.example", identity=identity("otto.admin@acme.example"))
    return jane, admin, [jane, admin, *extra]


def somebody(login: str, identity: Callable[[str], str], **changes: object) -> Person:
    """Return one more person."""
    made = person(login, identity=identity(login), password=EXPOSED)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def uuid_of(login: str) -> str:
    """Return an id as Entra ID gives them."""
    return person(login).id


@dataclass(frozen=True, kw_only=True)
class _Cast:
    kind: str
    idp: Provider
    jane: Person
    admin: Person
    everybody: list[Person]
    writes: str


def _given(cast: _Cast, make: Callable[..., Directory]) -> Given:
    wire = Lost(httpx.ASGITransport(cast.idp))
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    others = {each.login.partition("@")[0]: each for each in cast.everybody}

    def connected() -> Directory:
        return make(policy=POLICY, transport=wire, sleep=sleep)

    return Given(
        kind=cast.kind,
        directory=connected(),
        idp=cast.idp,
        jane=cast.jane,
        admin=cast.admin,
        wire=wire,
        writes=cast.writes,
        waits=waits,
        others=others,
        connected=connected,
    )


def given_entra(*, certificate: bool = False, **options: str) -> Given:
    """Return a tenant of Entra ID."""
    jane, admin, everybody = people(
        uuid_of,
        somebody("synced@acme.example", uuid_of, where="synced"),
        somebody("partner@other.example", uuid_of, where="guest"),
        somebody("worker@fed.example", uuid_of, where="federated"),
        somebody("sync_dc1_0a1b@acme.example", uuid_of, roles={"Directory Synchronization Accounts"}),
        somebody("pim@acme.example", uuid_of, eligible={"Global Administrator"}),
        somebody("member@acme.example", uuid_of, groups={"Tier 0"}),
        somebody("owner@acme.example", uuid_of),
        somebody("joiner@acme.example", uuid_of),
        somebody("finance@acme.example", uuid_of, groups={"Payments"}),
    )
    admin.roles = {"Global Administrator"}
    domains = {"acme.example": "Managed", "fed.example": "Federated", "new.example": "Unverified"}
    idp = Entra(everybody, domains=domains)
    idp.role_groups = {"Tier 0": {"Helpdesk Administrator"}}
    idp.owners = {"Tier 0": {uuid_of("owner@acme.example")}}
    idp.eligible_members = {"Tier 0": {uuid_of("joiner@acme.example")}}
    idp.page = 4
    secret = entra_login.CLIENT_SECRET
    if certificate:
        idp.login.certificate, secret = key().public_key(), key_and_certificate()
    chosen = entra.EntraOptions.model_validate(
        {"tenant_id": entra_login.TENANT, "client_id": entra_login.CLIENT_ID, **options}
    )
    cast = _Cast(kind="entra", idp=idp, jane=jane, admin=admin, everybody=everybody, writes="PATCH")
    return _given(cast, lambda **more: entra.made(chosen, SecretStr(secret), **more))


def given_okta(*, application: bool = False, **options: str) -> Given:
    """Return an organisation of Okta."""
    jane, admin, everybody = people(
        okta_id,
        somebody("synced@acme.example", okta_id, where="synced"),
        somebody("worker@fed.example", okta_id, where="federated"),
        somebody("member@acme.example", okta_id, groups={"Tier 0"}),
        somebody("finance@acme.example", okta_id, groups={"Payments"}),
    )
    admin.roles = {"SUPER_ADMIN"}
    idp = Okta(everybody, owner=admin)
    idp.role_groups = {"Tier 0": "HELP_DESK_ADMIN"}
    idp.page = 2
    secret = simulated_okta.TOKEN
    more = {"url": OKTA, "domains": "acme.example, fed.example", **options}
    if application:
        idp.key, secret = key().public_key(), pem()
        more |= {"client_id": simulated_okta.CLIENT_ID, "key_id": simulated_okta.KEY_ID}
    chosen = okta.OktaOptions.model_validate(more)
    cast = _Cast(kind="okta", idp=idp, jane=jane, admin=admin, everybody=everybody, writes="POST")
    return _given(cast, lambda **more: okta.made(chosen, SecretStr(secret), **more))


def given_google(**options: str) -> Given:
    """Return a customer of Google Workspace."""
    jane, _, everybody = people(
        google_id,
        somebody("synced@acme.example", google_id, where="synced", unit="/Synced/Office"),
        somebody("worker@acme.example", google_id, unit="/SSO"),
        somebody("member@acme.example", google_id, groups={"tier0@acme.example"}),
        somebody("finance@acme.example", google_id, groups={"payments@acme.example"}),
    )
    admin = everybody.pop(1)
    admin.roles = {SUPER_ADMIN}
    idp = Google(everybody, subject=admin, key=key().public_key(), domains={"acme.example": True, "new.example": False})
    idp.group_roles = {"tier0@acme.example": "Help Desk"}
    idp.page = 2
    chosen = google.GoogleOptions.model_validate(
        {"subject": admin.login, "federated_units": "/SSO", "synced_units": "/Synced", **options}
    )
    file = {
        "type": "service_account",
        "client_email": simulated_google.SERVICE_ACCOUNT,
        "private_key": pem(),
        "private_key_id": simulated_google.KEY_ID,
        "token_uri": "https://elsewhere.example/token",
    }
    secret = SecretStr(json.dumps(file))
    cast = _Cast(kind="google", idp=idp, jane=jane, admin=admin, everybody=[*everybody, admin], writes="PUT")
    return _given(cast, lambda **more: google.made(chosen, secret, **more))


GIVEN: dict[str, Callable[..., Given]] = {"entra": given_entra, "okta": given_okta, "google": given_google}


@cache
def key() -> rsa.RSAPrivateKey:
    """Return the connector's key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem() -> str:
    """Return it as it is kept in a file."""
    plain = serialization.NoEncryption()
    return key().private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def key_and_certificate() -> str:
    """Return it with its certificate behind it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "patchline")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key(), hashes.SHA256())
    )
    return pem() + certificate.public_bytes(serialization.Encoding.PEM).decode()
