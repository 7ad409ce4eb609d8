"""What no rule can read, in a real database: kept once, sealed, opened with the offline key alone, and forgotten."""

import asyncio
import json
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from chassis.errors import WrongSetting
from contracts.ids import new_raw_id_text
from services.gateway.commands import exposure_app
from services.gateway.exposures import offline_key, quarantine
from services.gateway.exposures.fingerprint import read_fingerprint_key
from services.gateway.exposures.offline_key import NotOpened
from services.gateway.exposures.quarantine import Quarantine
from tests.builders import NOON
from tests.gateway.exposures.bodies import CANARY
from tests.gateway.exposures.knocking import FINGERPRINT_KEY
from tests.gateway.spooled import NO_DATABASE
from tests.gateway.typed import queried, rows
from tests.parts import Database

LEAK = f"bob@acme.example:{CANARY}".encode()
FEED = "exposure/spycloud/main"


def exposure(*words: str) -> Result:
    """Type `patchline exposure ...`."""
    return CliRunner().invoke(exposure_app, words)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    private, public = tmp_path / "quarantine.private", tmp_path / "quarantine.pub"
    assert exposure("quarantine", "keys", str(private), str(public)).exit_code == 0
    return private, public


@pytest.fixture
async def empty(database: Database) -> Database:
    connection = await asyncpg.connect(database.admin)
    await connection.execute("TRUNCATE gateway.exposure_quarantine")
    await connection.close()
    return database


def keep(database_url: str, public: Path, *bodies: bytes) -> list[bool]:
    async def all_() -> list[bool]:
        kept = Quarantine(dsn=database_url, key=offline_key.read_public(public), digest_key=FINGERPRINT_KEY)
        return [
            await kept.keep(raw_id=new_raw_id_text(), source=FEED, body=body, received_at=NOON, reason="not JSON")
            for body in bodies
        ]

    return asyncio.run(all_())


@pytest.mark.usefixtures("command_line")
def test_what_is_set_aside_is_listed_opened_with_the_offline_key_and_forgotten(
    empty: Database, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = keys
    assert keep(empty.writer("gateway"), public, LEAK, LEAK, b"another") == [True, True, True]

    [first, second] = rows(exposure("quarantine", "list", "--json"))
    opened = exposure(
        "quarantine", "open", first["raw_id"], "--private-key-file", str(private), "--to", str(tmp_path / "body")
    )

    assert opened.exit_code == 0
    assert (tmp_path / "body").read_bytes() == LEAK
    assert stat.S_IMODE((tmp_path / "body").stat().st_mode) == 0o600
    assert CANARY not in opened.output
    assert (first["source"], first["reason"], first["unread"]) == (FEED, "not JSON", None)
    assert exposure("quarantine", "forget", first["raw_id"]).exit_code == 0
    assert [row["raw_id"] for row in rows(exposure("quarantine", "list", "--json"))] == [second["raw_id"]]
    assert exposure("quarantine", "forget", first["raw_id"]).exit_code == 1


@pytest.mark.usefixtures("command_line")
def test_without_the_right_private_key_nothing_opens(empty: Database, keys: tuple[Path, Path], tmp_path: Path) -> None:
    _, public = keys
    other = tmp_path / "other.private"
    exposure("quarantine", "keys", str(other), str(tmp_path / "other.pub"))
    keep(empty.writer("gateway"), public, LEAK)
    [row] = rows(exposure("quarantine", "list", "--json"))

    for file in (other, public):
        result = exposure(
            "quarantine", "open", row["raw_id"], "--private-key-file", str(file), "--to", str(tmp_path / "body")
        )

        assert result.exit_code == 1
        assert not (tmp_path / "body").exists()


def test_nothing_of_it_is_in_the_database_in_clear_and_no_reader_reaches_it(
    empty: Database, keys: tuple[Path, Path]
) -> None:
    keep(empty.writer("gateway"), keys[1], LEAK)

    [row] = queried(empty.admin, "SELECT * FROM gateway.exposure_quarantine")
    assert CANARY.encode() not in b"".join(str(value).encode() for value in row.values())
    assert CANARY.encode() not in row["sealed"]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        queried(empty.reader, "SELECT count(*) FROM gateway.exposure_quarantine")


def test_with_the_database_away_nothing_is_kept_and_that_is_said(
    keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(quarantine, "BUDGET_SECONDS", 0.5)

    assert keep(NO_DATABASE, keys[1], LEAK) == [False]
    assert CANARY not in caplog.text


def test_the_private_half_is_refused_where_the_public_one_belongs(keys: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="private half"):
        offline_key.read_public(keys[0])
    (tmp_path / "short").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    for wrong in ("short", "not there"):
        with pytest.raises(WrongSetting, match="PATCHLINE_QUARANTINE_PUBLIC_KEY_FILE"):
            offline_key.read_public(tmp_path / wrong)


def test_a_pair_of_openssl_is_one_too(tmp_path: Path) -> None:
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-out", str(private)], check=True)
    subprocess.run(["openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public)], check=True)

    assert offline_key.opened(private.read_bytes(), offline_key.read_public(public).sealed(LEAK)) == LEAK


def test_changed_bytes_do_not_open(keys: tuple[Path, Path]) -> None:
    sealed = offline_key.read_public(keys[1]).sealed(LEAK)

    assert offline_key.opened(keys[0].read_bytes(), sealed) == LEAK
    with pytest.raises(NotOpened):
        offline_key.opened(keys[0].read_bytes(), sealed[:-1] + bytes([sealed[-1] ^ 1]))


def test_a_new_key_is_one_that_the_gateway_reads_and_no_file_is_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "fingerprint.key"

    told = exposure("key", str(file), "--json")

    assert json.loads(told.stdout)[0]["bytes"] == len(read_fingerprint_key(file))
    assert file.read_text().strip() not in told.output
    assert exposure("key", str(file)).exit_code == 2
    (tmp_path / "wrong").write_text("AAAA")
    with pytest.raises(WrongSetting, match="PATCHLINE_FINGERPRINT_KEY_FILE"):
        read_fingerprint_key(tmp_path / "wrong")
