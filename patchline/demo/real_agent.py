"""A real inventory agent, where one is installed: it reports this very machine to the demo's gateway, by its own route.

The machine belongs to a client of its own and is judged apart from the simulated day: by what the machine's own package
manager says is installed.
"""

import asyncio
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx

from contracts import ids
from contracts.events.asset import AssetChanged
from contracts.events.obligation import ObligationStateChanged
from patchline.demo.check import Check, compared, with_wrong
from patchline.demo.judgement import Found
from patchline.demo.typed import CommandLine, typed
from patchline.local import place

VENDOR: Final = "glpi-agent"
NAME: Final = "desk"
SOURCE: Final = f"rmm/{VENDOR}/{NAME}"
CLIENT: Final = "This Very Machine"
AGENT: Final = "/usr/bin/fusioninventory-agent"
STATE: Final = "/var/lib/fusioninventory-agent"
RUN_SECONDS: Final = 120.0
BELIEVED_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.5
_PACKAGES: Final = ("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}\t${Package}\t${Version}\n")

Application = tuple[str, str]
"""Name and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where the agent reports and as whom; `config` is its configuration file, which says the same."""

    url: str
    user: str
    password: str
    config: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the product knows of this machine, and what is `installed` by its own word. `hindrance`: why not more."""

    hindrance: str = ""
    hostname: str = ""
    os_name: str = ""
    applications: frozenset[Application] = frozenset()
    installed: frozenset[Application] = frozenset()

    @property
    def line(self) -> str:
        """Return what there is to tell, in one line."""
        if self.hindrance:
            return f"No real agent reported: {self.hindrance}."
        return f"Real agent: {self.hostname} reported itself, {self.os_name}, {len(self.applications)} applications."


def hindrance() -> str:
    """Return why the agent cannot run here; empty: it can."""
    if shutil.which(AGENT) is None:
        return "fusioninventory-agent is not installed"
    if not os.access(STATE, os.W_OK):
        return f"{STATE} cannot be written by this account"
    if shutil.which(_PACKAGES[0]) is None:
        return f"there is no {_PACKAGES[0]} to check it by"
    return ""


def register(patchline: CommandLine, settings: Mapping[str, str]) -> Login:
    """Add the agent's source and client, as an operator does, and configure the agent."""
    typed(patchline, "client", "add", CLIENT, "--zone", "UTC")
    [added] = typed(patchline, "source", "add", VENDOR, NAME)
    typed(patchline, "client", "map", CLIENT, f"{VENDOR}/{NAME}", NAME)
    url = added["url"] if added["url"].startswith("http") else f"{settings['PATCHLINE_GATEWAY_URL']}{added['url']}"
    file = Path(settings["PATCHLINE_HOME"]) / "secrets" / "agent.cfg"
    place.write_private(file, f"server = {url}\nuser = {added['user']}\npassword = {added['secret']}\n")
    return Login(url=url, user=added["user"], password=added["secret"], config=file)


async def report(login: Login) -> str:
    """Run the agent once, as soon as the gateway believes its password; return what went wrong, empty: nothing."""
    if not await _is_believed(login):
        return f"its password was not believed within {BELIEVED_SECONDS:.0f} s"
    nothing = asyncio.subprocess.DEVNULL
    options = ("--force", "--no-httpd", "--no-category=process,environment", "--logger=stderr")
    agent = await asyncio.create_subprocess_exec(
        AGENT, f"--conf-file={login.config}", *options, stdin=nothing, stdout=nothing, stderr=nothing
    )
    try:
        async with asyncio.timeout(RUN_SECONDS):
            code = await agent.wait()
    except TimeoutError:
        agent.kill()
        await agent.wait()
        return f"it did not end within {RUN_SECONDS:.0f} s"
    return "" if code == 0 else f"it ended with code {code}"


async def _is_believed(login: Login) -> bool:
    deadline = asyncio.get_running_loop().time() + BELIEVED_SECONDS
    async with httpx.AsyncClient(auth=(login.user, login.password), trust_env=False) as client:
        while asyncio.get_running_loop().time() < deadline:
            if (await client.get(login.url)).is_success:
                return True
            await asyncio.sleep(_LOOK_SECONDS)
    return False


def known(patchline: CommandLine) -> Machine:
    """Return what the product's commands show of this machine, and what its package manager says."""
    assets: list[dict[str, Any]] = typed(patchline, "asset", "list", "--client", CLIENT)
    if not assets:
        return Machine(installed=_installed())
    [asset] = assets
    rows: list[dict[str, Any]] = typed(patchline, "asset", "show", asset["asset"], "--applications")
    return Machine(
        hostname=asset["hostname"],
        os_name=asset["os_name"],
        applications=frozenset((row["name"], row["version"] or "") for row in rows),
        installed=_installed(),
    )


def _installed() -> frozenset[Application]:
    done = subprocess.run(_PACKAGES, check=True, capture_output=True, text=True)  # noqa: S603 - a constant
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return frozenset((name, version) for status, name, version in rows if status.startswith("ii"))


def judged(machine: Machine) -> list[Check]:
    """Compare the applications that the product shows with what is installed; nothing where no agent ran."""
    if machine.hindrance:
        return []
    check = compared("the real agent's applications", Counter(machine.installed), Counter(machine.applications), str)
    name = os.uname().nodename.partition(".")[0]
    return [with_wrong(check, [] if machine.hostname == name else [f"{machine.hostname or 'nobody'} is not {name}"])]


def the_day(found: Found) -> Found:
    """Return what was found without this machine: the ledger knows the simulated day only."""
    seen, tenant = found.seen, ids.tenant_id(CLIENT)
    assets = {
        key: each
        for key, each in seen.assets.items()
        if not (isinstance(asset := each.data, AssetChanged) and asset.source == SOURCE)
    }
    obligations = {
        key: each
        for key, each in seen.obligations.items()
        if not (isinstance(told := each.data, ObligationStateChanged) and told.label.source == SOURCE)
    }
    rest = replace(
        seen,
        webhooks=Counter({key: count for key, count in seen.webhooks.items() if key[0] != SOURCE}),
        events=[each for each in seen.events if each.source != SOURCE],
        assets=assets,
        obligations=obligations,
        figures={key: each for key, each in seen.figures.items() if each.tenant != tenant},
    )
    return replace(found, seen=rest)
