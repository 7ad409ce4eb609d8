"""Which processes make the product, and the settings that each is started with: its own role, its own secrets."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from patchline.local import ports
from patchline.local.psa import Access

_PASSED_ON: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "SSL_CERT_FILE",
    "VIRTUAL_ENV",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)


@dataclass(frozen=True, slots=True)
class Program:
    """One process: `role` is its database role, `health` its place among the health ports.

    The simulated RMM stands outside the product: it has neither role nor health page, only its port.
    """

    name: str
    module: tuple[str, ...]
    role: str = ""
    health: int = 0
    secrets: tuple[str, ...] = ()


SECRET_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "sealing": ("PATCHLINE_SEALING_KEY_FILE", "sealing.key"),
    "fingerprint": ("PATCHLINE_FINGERPRINT_KEY_FILE", "fingerprint.key"),
    "quarantine": ("PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE", "quarantine.pub"),
    "approval": ("PATCHLINE_APPROVAL_KEY_FILE", "approval.key"),
}
"""By what a program says that it needs: the setting that names the file, and the file's name."""

OFFLINE_FILE: Final = "quarantine.private"
"""The private half of the quarantine's key. No program is told of it; in production it is on no machine of ours."""

ACCEPT: Final = Program(
    "gateway-accept",
    ("services.gateway", "accept"),
    "gateway_writer",
    1,
    ("sealing", "fingerprint", "quarantine", "approval"),
)
PROGRAMS: Final[tuple[Program, ...]] = (
    ACCEPT,
    Program("gateway-translate", ("services.gateway", "translate"), "gateway_writer", 2, ("sealing",)),
    Program(
        "gateway-poll",
        ("services.gateway", "poll"),
        "gateway_writer",
        3,
        ("sealing", "fingerprint", "quarantine"),
    ),
    Program("inventory", ("services.inventory",), "inventory_writer", 4),
    Program("compliance", ("services.compliance",), "compliance_writer", 5),
    Program("ticketing", ("services.ticketing",), "ticketing_writer", 6, ("tracker",)),
    Program("credentials", ("services.credentials",), "credentials_writer", 8, ("approval", "mail", "directories")),
    Program("auditor", ("patchline.audit",), "patchline_auditor", 7),
)
DIRECTORIES: Final = "PATCHLINE_DIRECTORY_SECRETS_DIR"
LOCAL_VERIFY_SECONDS: Final = "2"
"""A directory on this machine shows a change at once; elsewhere it is a minute before it is looked at again."""

DESK: Final = "desk"
"""What the ticket system's source is called."""

HOOK_FILE: Final = "tracker-hook"
"""Below the secrets: with what Request Tracker signs. It is told at its start; others are told when they run."""

PAGE_FILE: Final = "tracker-page"
"""Beside the secrets: where a person looks at the ticket system, as whom, and where the password is."""

PERSON_FILE: Final = "tracker-person"
"""Among the secrets: the password of a person at the ticket system's own pages."""

SIMULATOR: Final = Program("simulated-rmm", ("simulators",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where everything is: addresses, secret files, the moved clock, settings that a test adds.

    `tracker` has the settings that name the ticket system, by variable; `mail` those of the mail server. Where
    something stands between services and Kafka or the database, `kafka_way` and `database_way` say where it listens.
    """

    home: Path
    kafka: str
    database: str
    tracker: Mapping[str, str]
    gateway_port: int
    health_port: int
    simulator_port: int
    mail: Mapping[str, str] = field(default_factory=dict)
    clock_offset_seconds: float = 0
    extra: Mapping[str, str] = field(default_factory=dict)
    kafka_way: str = ""
    database_way: str = ""

    @property
    def secrets(self) -> Path:
        """Return the folder with one file per secret, readable by its owner alone."""
        return self.home / "secrets"

    @property
    def directory_secrets(self) -> Path:
        """Return the folder with one file for each directory of a client, named as `patchline directory add` says."""
        return self.secrets / "directories"

    @property
    def tracker_url(self) -> str:
        """Return where the ticket system answers; empty: there is none."""
        return self.tracker.get("PATCHLINE_TRACKER_URL", "")

    @property
    def gateway_url(self) -> str:
        """Return where webhooks go."""
        return f"http://{ports.LOOPBACK}:{self.gateway_port}"

    @property
    def simulator_url(self) -> str:
        """Return where the simulated RMM answers."""
        return f"http://{ports.LOOPBACK}:{self.simulator_port}"

    def role_url(self, role: str) -> str:
        """Return the database URL of `role`, without its password: that is in a file."""
        return self._url_of(role, self.database)

    def service_url(self, role: str) -> str:
        """Return the same for a service, which may reach the database by another way."""
        return self._url_of(role, self.database_way or self.database)

    @staticmethod
    def _url_of(role: str, database: str) -> str:
        parts = urlsplit(database)
        return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))

    def health_url(self, program: Program) -> str:
        """Return where a program answers `/live`, `/ready` and `/metrics`."""
        return f"http://{ports.LOOPBACK}:{self.health_port + program.health}"


def environment(program: Program, around: Surroundings) -> dict[str, str]:
    """Return the environment of one program: what it needs and nothing else; secrets by file name only."""
    own = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | {"PYTHONUNBUFFERED": "1"}
    if program is SIMULATOR:
        moved = {"PATCHLINE_SIMULATOR_CLOCK_OFFSET_SECONDS": str(around.clock_offset_seconds)}
        return own | {"PATCHLINE_SIMULATOR_PORT": str(around.simulator_port)} | moved | dict(around.extra)
    own |= {
        "PATCHLINE_KAFKA": around.kafka_way or around.kafka,
        "PATCHLINE_DATABASE_URL": around.service_url(program.role),
        "PATCHLINE_DATABASE_PASSWORD_FILE": str(around.secrets / program.role),
        "PATCHLINE_HEALTH_HOST": ports.LOOPBACK,
        "PATCHLINE_HEALTH_PORT": str(around.health_port + program.health),
        "PATCHLINE_CLOCK_OFFSET_SECONDS": str(around.clock_offset_seconds),
        "PATCHLINE_GROUP_INSTANCE": program.name,
    }
    for secret in program.secrets:
        if secret in SECRET_FILES:
            setting, file = SECRET_FILES[secret]
            own[setting] = str(around.secrets / file)
    if program is ACCEPT:
        own |= {
            "PATCHLINE_ACCEPT_HOST": ports.LOOPBACK,
            "PATCHLINE_ACCEPT_PORT": str(around.gateway_port),
            "PATCHLINE_ACCEPT_SNAPSHOT_FILE": str(around.home / "gateway-accept.sources"),
        }
    if "tracker" in program.secrets:
        own |= around.tracker
    if "directories" in program.secrets:
        own |= {DIRECTORIES: str(around.directory_secrets), "PATCHLINE_VERIFY_SECONDS": LOCAL_VERIFY_SECONDS}
    if "mail" in program.secrets:
        own |= {**around.mail, "PATCHLINE_APPROVAL_URL": f"{around.gateway_url}/approvals"}
    return own | dict(around.extra)


def tracker_settings(access: Access, secrets: Path) -> dict[str, str]:
    """Return the settings that name a ticket system; its secrets are in files below `secrets`."""
    own = {
        "PATCHLINE_TRACKER_KIND": access.kind.value,
        "PATCHLINE_TRACKER_URL": access.url,
        "PATCHLINE_TRACKER_USER": access.user,
        "PATCHLINE_TRACKER_PASSWORD_FILE": str(secrets / "tracker"),
    }
    return own | dict(access.settings) | {name: str(secrets / name.lower()) for name in access.secrets}


def mail_settings(port: int | None) -> dict[str, str]:
    """Return the settings that name the mail server of this machine; none where there is none (`None`)."""
    if port is None:
        return {}
    return {
        "PATCHLINE_MAIL_HOST": ports.LOOPBACK,
        "PATCHLINE_MAIL_PORT": str(port),
        "PATCHLINE_MAIL_SECURITY": "none",
        "PATCHLINE_MAIL_FROM": "patchline@msp.example",
    }


def arguments(program: Program) -> tuple[str, ...]:
    """Return the command line of one program."""
    return (sys.executable, "-m", *program.module)


def command_environment(around: Surroundings) -> dict[str, str]:
    """Return what command lines need to reach this stack; written to the state directory as `env`."""
    return {
        "PATCHLINE_KAFKA": around.kafka,
        "PATCHLINE_ADMIN_URL": around.database,
        "PATCHLINE_OPERATOR_URL": around.role_url("patchline_operator"),
        "PATCHLINE_OPERATOR_PASSWORD_FILE": str(around.secrets / "patchline_operator"),
        "PATCHLINE_READER_URL": around.role_url("patchline_reader"),
        "PATCHLINE_READER_PASSWORD_FILE": str(around.secrets / "patchline_reader"),
        "PATCHLINE_GATEWAY_URL": around.gateway_url,
        "PATCHLINE_SIMULATED_RMM_URL": around.simulator_url,
        **around.tracker,
        "PATCHLINE_SEALING_KEY_FILE": str(around.secrets / "sealing.key"),
        DIRECTORIES: str(around.directory_secrets),
        "PATCHLINE_CLOCK_OFFSET_SECONDS": str(around.clock_offset_seconds),
    }
