"""A real Active Directory on this machine, for the demo and the tests: Samba, from Debian's own packages.

Everything that it writes is below its own directory. It speaks on one loopback address of its own, since its ports are
fixed, and needs root for them. Source: samba-tool(8), smb.conf(5); quirks found by running it.
"""

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable, Say, certificate, place
from patchline.local.child import Child, Command

PACKAGES: Final = "samba-ad-dc samba-ad-provision"
REALM: Final = "CORP.TEST"
NETBIOS: Final = "CORP"
HOST: Final = "dc1"
UNIT: Final = "People"
CONNECTOR: Final = "svc-patchline"

_SERVER: Final = Path("/usr/sbin/samba")
_PYTHON: Final = Path("/usr/bin/python3")
_PROVISIONING: Final = Path("/usr/share/samba/setup/provision.ldif")
_SEED: Final = Path(__file__).with_name("samba_seed.py")
_PORTS: Final = (636, 389, 88, 464, 135)
_READY_SECONDS: Final = 60
_MAKE_SECONDS: Final = 180


def why_not() -> str | None:
    """Return why no domain controller can run here, with what to do; `None`: it can."""
    if not (_SERVER.exists() and _PROVISIONING.exists()):
        return f"Samba's domain controller is not installed; run `apt-get install --no-install-recommends {PACKAGES}`"
    if os.geteuid() != 0:
        return "Samba's domain controller needs root for its ports"
    try:
        free_address()
    except PartUnavailable as error:
        return str(error)
    return None


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in, and with what."""

    user: str
    password: str


class Samba:
    """One domain below `wanted_place`, on a free loopback address unless one is given."""

    name = "samba"

    def __init__(self, wanted_place: Path, *, address: str = "") -> None:
        self._place = wanted_place
        self._wanted_address = address
        self.child: Child | None = None

    @property
    def address(self) -> str:
        """Return the loopback address that it has for itself; the same one in its every start."""
        return place.kept_secret(self._place / "address")

    @property
    def url(self) -> str:
        """Return where it is spoken to."""
        return f"ldaps://{self.address}"

    @property
    def certificate_name(self) -> str:
        """Return whom its certificate is made out to."""
        return f"{HOST}.{REALM.lower()}"

    @property
    def authority(self) -> Path:
        """Return the file with the certificate of the authority to trust."""
        return self._certificate.authority

    @property
    def suffix(self) -> str:
        """Return the domain's distinguished name."""
        return ",".join(f"DC={part}" for part in REALM.lower().split("."))

    @property
    def people(self) -> str:
        """Return the unit whose passwords our account may reset."""
        return f"OU={UNIT},{self.suffix}"

    @property
    def administrator(self) -> Login:
        """Return the login of the domain's administrator."""
        return self._login("Administrator")

    @property
    def connector(self) -> Login:
        """Return the login of our account."""
        return self._login(CONNECTOR)

    def start(self, say: Say) -> None:
        """Start it, made at the first start, and return when it answers. Raises: PartUnavailable."""
        if reason := why_not():
            raise PartUnavailable(reason)
        if not (self._place / "address").exists():
            place.write_private(self._place / "address", self._wanted_address or free_address())
        if not (self._place / "made").exists():
            say("samba: making a domain (once)")
            self._make()
        say(f"samba: starting on {self.url}")
        settings = str(self.database / "etc" / "smb.conf")
        argv = (str(_SERVER), "-i", "-M", "single", "-s", settings, "--debug-stdout")
        self.child = Child(Command(name="samba", argv=argv, log_path=self._place / "samba.log"))
        self.child.start()
        self.child.wait_until(self._answers, timeout_seconds=_READY_SECONDS)
        say(f"samba: ready on {self.url}")

    def stop(self) -> None:
        """Stop it; the domain stays."""
        if self.child is not None:
            self.child.stop()

    @property
    def database(self) -> Path:
        """Return the folder with the domain, for Samba's own tools."""
        return self._place / "domain"

    @property
    def _certificate(self) -> certificate.Certificate:
        return certificate.kept(self._place / "tls", self.certificate_name, self.address)

    def _login(self, name: str) -> Login:
        return Login(f"{name}@{REALM.lower()}", place.kept_secret(self._place / f"{name.lower()}.password"))

    def _make(self) -> None:
        """Make the domain whole or not at all."""
        for name in ("administrator", CONNECTOR):
            path = self._place / f"{name}.password"
            if not path.exists():
                place.write_private(path, f"Aa1-{secrets.token_urlsafe(18)}")  # of all classes that a domain asks for
        wanted = {
            "place": str(self.database),
            "address": self.address,
            "realm": REALM,
            "netbios": NETBIOS,
            "host": HOST,
            "unit": UNIT,
            "connector": CONNECTOR,
            "connector_password": self.connector.password,
            "administrator_password": self.administrator.password,
            "certificate": str(self._certificate.certificate),
            "key": str(self._certificate.key),
            "authority": str(self._certificate.authority),
        }
        settings = self._place / "seed.json"
        place.write_private(settings, json.dumps(wanted))
        command = Command(
            name="samba-tool",
            argv=(str(_PYTHON), "-I", str(_SEED), str(settings)),  # else we would be the samba that it imports
            log_path=self._place / "provision.log",
        )
        try:
            Child(command).finish(timeout_seconds=_MAKE_SECONDS)
        finally:
            settings.unlink()
        place.write_private(self._place / "made", "")

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.address, _PORTS[0]), timeout=1).close()
        except OSError:
            return False
        return True


def free_address() -> str:
    """Return a loopback address on which none of the ports is taken. Raises: PartUnavailable."""
    for _ in range(50):
        address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
        if all(_is_free(address, port) for port in _PORTS):
            return address
    raise PartUnavailable("another program listens on Samba's ports of every loopback address; stop it")


def _is_free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
