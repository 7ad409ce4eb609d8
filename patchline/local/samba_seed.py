"""Makes a domain for tests and the demo: `samba_seed.py SETTINGS`, run by the Python that Samba's own tools have.

Reads everything, passwords too, from a private JSON file, since arguments of a process are for everybody to see. Then:
an account for Patchline that may reset passwords below one organisational unit and nothing else.
"""

import json
import sys
from pathlib import Path

from samba.auth import system_session
from samba.netcmd.main import cmd_sambatool
from samba.param import LoadParm
from samba.samdb import SamDB

RESET_PASSWORD = "00299570-246d-11d0-a768-00aa006e0529"  # noqa: S105 - the right's identifier
PWD_LAST_SET = "bf967a0a-0de6-11d0-a285-00aa003049e2"  # noqa: S105 - an attribute's
USER_CLASS = "bf967aba-0de6-11d0-a285-00aa003049e2"


def tool(*arguments: str) -> None:
    """Run one of Samba's tools in this process. Raises: SystemExit with its code if it fails."""
    code = cmd_sambatool()._run("samba-tool", *arguments)  # noqa: SLF001 - as its own program calls it
    if code:
        sys.exit(int(code))


def provision(wanted: dict[str, str]) -> None:
    """Make the domain."""
    place, address = wanted["place"], wanted["address"]
    folders = {"pid directory": "run", "ncalrpc dir": "run/ncalrpc", "winbindd socket directory": "run/winbindd"}
    options = {name: f"{place}/{folder}" for name, folder in folders.items()} | {
        "ntp signd socket directory": f"{place}/run/ntp",
        "interfaces": f"{address}/8",
        "bind interfaces only": "yes",
        "server services": "rpc, ldap, kdc, cldap",
        "tls enabled": "yes",
        "tls certfile": wanted["certificate"],
        "tls keyfile": wanted["key"],
        "tls cafile": wanted["authority"],
    }
    Path(place, "run").mkdir(parents=True, exist_ok=True)
    empty = Path(place, "empty.conf")
    empty.write_text("")
    tool(
        *("domain", "provision", "-s", str(empty), f"--targetdir={place}", "--server-role=dc", "--dns-backend=NONE"),
        *(f"--realm={wanted['realm']}", f"--domain={wanted['netbios']}", f"--host-name={wanted['host']}"),
        *(f"--host-ip={address}", f"--adminpass={wanted['administrator_password']}", "--use-rfc2307"),
        *(f"--option={name}={value}" for name, value in options.items()),
    )


def fill(wanted: dict[str, str]) -> None:
    """Make the unit for people, our account, and what it may do there."""
    settings, sam = f"{wanted['place']}/etc/smb.conf", f"{wanted['place']}/private/sam.ldb"
    loaded = LoadParm()
    loaded.load(settings)
    samdb = SamDB(url=sam, session_info=system_session(), lp=loaded)
    unit = f"OU={wanted['unit']},{samdb.domain_dn()}"
    samdb.create_ou(unit)
    samdb.newuser(wanted["connector"], wanted["connector_password"])
    sid = sid_of(samdb, wanted["connector"])
    for right in (f"CR;{RESET_PASSWORD}", f"RPWP;{PWD_LAST_SET}"):
        rule = f"(OA;CIIO;{right};{USER_CLASS};{sid})"
        tool("dsacl", "set", "-H", sam, "-s", settings, "--objectdn", unit, "--sddl", rule)


def sid_of(samdb: SamDB, name: str) -> str:
    """Return the security identifier of an account."""
    found = samdb.search(base=samdb.domain_dn(), expression=f"(sAMAccountName={name})", attrs=["objectSid"])
    return str(samdb.schema_format_value("objectSID", found[0]["objectSid"][0]), "utf-8")


if __name__ == "__main__":
    settings = json.loads(Path(sys.argv[1]).read_text())
    provision(settings)
    fill(settings)
