"""The recipe of the image and the compose file: what they take and leave out; every process with its own secrets."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
from typer.testing import CliRunner

from chassis.settings import read
from patchline.main import app
from patchline.schemas import LOGIN_ROLES
from patchline.stack.programs import PROGRAMS, SECRET_FILES, Program
from tests.structure.manifests import ROOT, SETTINGS, compose, needed, read_by, tool

OTHERS = {"kafka", "postgres", "topics", "schema", "operator"}
OURS = {"topics", "schema", "operator", *(program.name for program in PROGRAMS)}
SECRETS = "/run/secrets/"
_EACH = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)


def _complaints(document: object) -> list[str]:
    schema = json.loads((resources.files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text())
    return [each.message for each in jsonschema.Draft202012Validator(schema).iter_errors(document)]


def test_the_compose_file_is_one() -> None:
    assert _complaints(compose()) == []


def test_what_is_no_compose_file_is_found() -> None:
    assert _complaints({**compose(), "services": {"inventory": {"imagine": "patchline"}}})


@pytest.mark.skipif(shutil.which("docker-compose") is None, reason="docker-compose is not installed")
def test_a_compose_engine_reads_it() -> None:
    done = subprocess.run(
        ["docker-compose", "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"],
        env={**os.environ, "PATCHLINE_TRACKER_URL": "https://tracker.example.com/"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr


def test_every_process_has_a_service_and_every_service_is_a_process() -> None:
    services: dict[str, Any] = compose()["services"]

    assert {name: each["command"] for name, each in services.items() if name not in OTHERS} == {
        program.name: list(program.module) for program in PROGRAMS
    }


@_EACH
def test_a_process_starts_with_the_settings_that_compose_gives(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = SETTINGS[program.name]
    given: dict[str, str] = compose()["services"][program.name]["environment"]

    assert set(given) <= read_by(program.name)
    assert needed(kind) <= set(given)
    for name in [name for name in os.environ if name.startswith("PATCHLINE_")]:
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert read(kind, env_files=()).group_instance == "", "a second container of it would be put out of its group"


@_EACH
def test_a_process_in_compose_has_its_own_role_and_no_secret_but_its_own(program: Program) -> None:
    service = compose()["services"][program.name]
    given: dict[str, str] = service["environment"]
    places = {"tracker": "tracker", "mail": "mail", **{name: file for name, (_, file) in SECRET_FILES.items()}}

    assert urlsplit(given["PATCHLINE_DATABASE_URL"]).username == program.role
    assert set(service["secrets"]) == {
        program.role,
        *(places[each] for each in program.secrets if each != "directories"),
    }
    folders = [each for each in service.get("volumes", []) if "/directories:" in each]
    assert (len(folders), [each for each in folders if not each.endswith(":ro")]) == (
        int("directories" in program.secrets),
        [],
    )
    files = {value for name, value in given.items() if name.endswith("_FILE") and "SNAPSHOT" not in name}
    assert files == {f"{SECRETS}{name}" for name in service["secrets"]}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_container_may_do_nothing_that_it_does_not_need(name: str) -> None:
    service = compose()["services"][name]
    is_process = name not in OTHERS

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["image"] == compose()["services"]["gateway-accept"]["image"]
    assert service["restart"] == ("unless-stopped" if is_process else "no")
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert ("/ready" in str(service["healthcheck"]["test"])) if is_process else service["healthcheck"]["disable"]


def test_only_this_machine_reaches_a_port_and_only_declared_files_are_secrets() -> None:
    document = compose()
    ports = [port for service in document["services"].values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []
    used = {name for service in document["services"].values() for name in service.get("secrets", [])}
    assert used == set(document["secrets"])
    assert set(document["services"]["schema"]["secrets"]) == {*LOGIN_ROLES, "database_admin"}
    assert document["networks"]["inside"]["internal"] is True


def test_what_runs_once_are_commands_that_exist() -> None:
    for name in ("topics", "schema"):
        answer = CliRunner().invoke(app, [*compose()["services"][name]["command"][1:], "--help"])
        assert answer.exit_code == 0, answer.output


def test_the_dockerfile_is_clean() -> None:
    done = subprocess.run(
        [tool("hadolint"), str(ROOT / "Dockerfile")], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_is_built_with_the_locked_uv_and_without_what_only_developers_need() -> None:
    recipe = (ROOT / "Dockerfile").read_text()
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    kept = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]

    assert f"uv=={re.findall(r'^ARG UV_VERSION=(.+)$', recipe, flags=re.MULTILINE)[0]}" in groups["dev"]
    assert "--frozen --no-default-groups" in recipe
    assert sorted(kept) == ["LICENSE", "chassis", "contracts", "patchline", "pyproject.toml", "services", "uv.lock"]
    assert re.findall(r"^COPY (?!--from)(.+) \S+$", recipe, flags=re.MULTILINE) == [
        "pyproject.toml uv.lock", "LICENSE", "chassis", "contracts", "patchline", "services",
    ]  # fmt: skip
