"""A real OpenLDAP on this machine, for the demo and the tests: slapd with password policies, from Debian's packages.

Everything that it writes is below its own directory; it speaks LDAP over TLS on a loopback port. Source: slapd.conf(5),
slapo-ppolicy(5), slapo-memberof(5).
"""

import base64
import hashlib
import os
import secrets
from pathlib import Path
from typing import Final

from patchline.local import PartUnavailable, Say, certificate, place, ports
from patchline.local.child import Child, Command
from patchline.local.samba import Login

PACKAGES: Final = "slapd"
SUFFIX: Final = "dc=corp,dc=test"
PEOPLE: Final = f"ou=people,{SUFFIX}"
GROUPS: Final = f"ou=groups,{SUFFIX}"
CONNECTOR: Final = f"cn=patchline,ou=connectors,{SUFFIX}"
ROOT: Final = f"cn=admin,{SUFFIX}"
HOST: Final = "ldap.corp.test"

_SERVER: Final = Path("/usr/sbin/slapd")
_LOADER: Final = Path("/usr/sbin/slapadd")
_SCHEMAS: Final = Path("/etc/ldap/schema")
_MODULES: Final = Path("/usr/lib/ldap")
_READY_SECONDS: Final = 30


def why_not() -> str | None:
    """Return why no slapd can run here, with what to do; `None`: it can."""
    if not (_SERVER.exists() and (_MODULES / "ppolicy.la").exists() and (_SCHEMAS / "inetorgperson.schema").exists()):
        return f"slapd is not installed; run `apt-get install --no-install-recommends {PACKAGES}`"
    return None


class Slapd:
    """One directory below `wanted_place`, or below a place that `nobody` can reach when we are root."""

    name = "slapd"

    def __init__(self, wanted_place: Path, *, port: int = 0) -> None:
        self._account = place.nobody() if os.geteuid() == 0 else None
        reachable = self._account is None or place.is_reachable(wanted_place, self._account)
        self._wanted_place = wanted_place
        self._place = wanted_place if reachable else place.shared(wanted_place)
        self._port = port
        self.child: Child | None = None

    @property
    def url(self) -> str:
        """Return where it is spoken to."""
        return f"ldaps://{ports.LOOPBACK}:{self._port}"

    @property
    def certificate_name(self) -> str:
        """Return whom its certificate is made out to."""
        return HOST

    @property
    def authority(self) -> Path:
        """Return the file with the certificate of the authority to trust."""
        return self._certificate.authority

    @property
    def root(self) -> Login:
        """Return the login that may do everything."""
        return Login(ROOT, place.kept_secret(self._place / "root.password"))

    @property
    def connector(self) -> Login:
        """Return the login of our account, which may set passwords of people and nothing else."""
        return Login(CONNECTOR, place.kept_secret(self._place / "connector.password"))

    def start(self, say: Say) -> None:
        """Start it, made at the first start, and return when it answers. Raises: PartUnavailable."""
        if reason := why_not():
            raise PartUnavailable(reason)
        if self._place != self._wanted_place:
            place.made_shared(self._wanted_place)
        self._port = ports.claimed(self._port, setting="the port")
        self._write()
        if not (self._database / "data.mdb").exists():
            say("slapd: making a directory (once)")
            self._make()
        say(f"slapd: starting on {self.url}")
        self.child = Child(self._command("slapd", str(_SERVER), "-h", f"{self.url}/", "-d", "0"))
        self.child.start()
        self.child.wait_until(lambda: ports.is_open(self._port), timeout_seconds=_READY_SECONDS)
        say(f"slapd: ready on {self.url}")

    def stop(self) -> None:
        """Stop it; its entries stay."""
        if self.child is not None:
            self.child.stop()

    @property
    def _database(self) -> Path:
        return self._place / "database"

    @property
    def _certificate(self) -> certificate.Certificate:
        return certificate.kept(self._place / "tls", HOST, ports.LOOPBACK)

    def _command(self, name: str, *argv: str) -> Command:
        settings = ("-f", str(self._place / "slapd.conf"))
        return Command(
            name=name,
            argv=(*argv, *settings),
            log_path=self._place / "slapd.log",
            cwd=self._database,
            account=self._account,
        )

    def _make(self) -> None:
        entries = self._place / "entries.ldif"
        self._owned(entries, _ENTRIES.format(suffix=SUFFIX, password=hashed(self.connector.password)))
        Child(self._command("slapadd", str(_LOADER), "-b", SUFFIX, "-l", str(entries))).finish(timeout_seconds=30)

    def _write(self) -> None:
        self._database.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._give(self._database)
        tls = self._certificate
        for path in (tls.authority, tls.certificate, tls.key):
            self._give(path)
        text = _CONFIGURATION.format(
            schemas=_SCHEMAS,
            modules=_MODULES,
            place=self._place,
            suffix=SUFFIX,
            password=hashed(self.root.password),
            authority=tls.authority,
            certificate=tls.certificate,
            key=tls.key,
        )
        self._owned(self._place / "slapd.conf", text)

    def _owned(self, path: Path, text: str) -> None:
        place.write_private(path, text)
        self._give(path)

    def _give(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)


def hashed(password: str) -> str:
    """Return a password as slapd keeps it: SHA-1 with salt, the best that it has without a module of others."""
    salt = secrets.token_bytes(8)
    digest = hashlib.sha1(password.encode() + salt).digest()  # noqa: S324 - the scheme's own
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


_CONFIGURATION: Final = """# Written at each start.
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/nis.schema
include {schemas}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb.la
moduleload ppolicy.la
moduleload memberof.la
TLSCACertificateFile {authority}
TLSCertificateFile {certificate}
TLSCertificateKeyFile {key}
security ssf=128
database mdb
suffix "{suffix}"
rootdn "cn=admin,{suffix}"
rootpw {password}
directory {place}/database
index objectClass,entryUUID,uid,mail,member eq
overlay memberof
overlay ppolicy
ppolicy_default "cn=default,ou=policies,{suffix}"
ppolicy_use_lockout
limits dn.exact="cn=patchline,ou=connectors,{suffix}" size=unlimited time=unlimited
access to dn.subtree="ou=people,{suffix}" attrs=userPassword
  by dn.exact="cn=patchline,ou=connectors,{suffix}" =w
  by self =w
  by anonymous auth
  by * none
access to attrs=userPassword by self =w by anonymous auth by * none
access to attrs=pwdHistory by * none
access to dn.subtree="{suffix}" by dn.exact="cn=patchline,ou=connectors,{suffix}" read by self read by * none
"""

_ENTRIES: Final = """dn: {suffix}
objectClass: dcObject
objectClass: organization
o: Corp
dc: corp

dn: ou=people,{suffix}
objectClass: organizationalUnit
ou: people

dn: ou=groups,{suffix}
objectClass: organizationalUnit
ou: groups

dn: ou=connectors,{suffix}
objectClass: organizationalUnit
ou: connectors

dn: ou=policies,{suffix}
objectClass: organizationalUnit
ou: policies

dn: cn=default,ou=policies,{suffix}
objectClass: device
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdMustChange: TRUE
pwdAllowUserChange: TRUE
pwdMinLength: 8
pwdInHistory: 5
pwdLockout: TRUE
pwdMaxFailure: 5

dn: cn=patchline,ou=connectors,{suffix}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: patchline
userPassword: {password}
"""
