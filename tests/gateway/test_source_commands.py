"""`patchline source`, as typed, against a real database."""

import base64
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.gateway.door.verification import (
    SignedBody,
    SignedCallback,
    StandardWebhooks,
    StaticHeader,
    Verified,
    verdict,
)
from services.gateway.keys.sealing import Purpose, opened, read_sealing_key
from services.gateway.registry import schemes
from tests.gateway.typed import believed, queried, rows, source
from tests.parts import Database

pytestmark = pytest.mark.usefixtures("command_line")


def test_a_new_source_shows_its_url_and_its_secret(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "patchline", "shown", "--json"))

    scheme = believed(database, sealing_key_file)["/webhooks/rmm/patchline/shown"].scheme
    assert row["source"] == "rmm/patchline/shown"
    assert row["url"] == "https://hooks.example.com/webhooks/rmm/patchline/shown"
    assert isinstance(scheme, StandardWebhooks)
    assert scheme.keys[0] == schemes.signing_key(row["secret"])


def test_a_ticket_system_signs_in_its_own_header_at_its_own_path(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "request-tracker", "desk", "--json"))

    scheme = believed(database, sealing_key_file)["/webhooks/psa/request-tracker/desk"].scheme
    assert (row["source"], row["url"].endswith("/webhooks/psa/request-tracker/desk")) == (
        "psa/request-tracker/desk",
        True,
    )
    assert isinstance(scheme, SignedBody)
    assert (scheme.header_name, scheme.keys[0]) == (b"x-rt-signature", row["secret"].encode())


def test_a_source_of_callbacks_has_hosts_and_no_secret(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "connectwise", "main", "--key-host", "*.myconnectwise.net", "--json"))

    scheme = believed(database, sealing_key_file)["/webhooks/psa/connectwise/main"].scheme
    assert "secret" not in row
    assert isinstance(scheme, SignedCallback)
    assert scheme.hosts == {"*.myconnectwise.net"}
    assert source("rotate", "connectwise", "main").exit_code == 1


def test_agents_get_a_path_of_their_own_a_user_and_a_password(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "glpi-agent", "acme", "--json"))

    by_path = believed(database, sealing_key_file)
    login = base64.b64encode(f"{row['user']}:{row['secret']}".encode())
    scheme = by_path["/agents/glpi-agent/acme"].scheme
    assert (row["url"], row["user"]) == ("https://hooks.example.com/agents/glpi-agent/acme", "acme")
    assert isinstance(verdict(scheme, {b"authorization": b"Basic " + login}, b"", now=datetime.now(UTC)), Verified)
    assert [path for path in by_path if "glpi-agent/acme" in path] == ["/agents/glpi-agent/acme"]


def test_an_agents_new_password_leaves_the_old_one_valid_until_the_next(
    database: Database, sealing_key_file: Path
) -> None:
    secrets = [rows(source("add", "glpi-agent", "rotated", "--json"))[0]["secret"]]
    secrets += [rows(source("rotate", "glpi-agent", "rotated", "--json"))[0]["secret"] for _ in range(2)]

    scheme = believed(database, sealing_key_file)["/agents/glpi-agent/rotated"].scheme
    logins = [base64.b64encode(f"rotated:{each}".encode()) for each in secrets]
    told = [verdict(scheme, {b"authorization": b"Basic " + each}, b"", now=datetime.now(UTC)) for each in logins]
    assert [isinstance(each, Verified) for each in told] == [False, True, True]


@pytest.mark.parametrize(("vendor", "scheme"), [("ninjaone", "basic"), ("glpi-agent", "static-header")])
def test_a_proof_that_the_vendor_cannot_give_is_wrong_use(vendor: str, scheme: str) -> None:
    answer = source("add", vendor, "odd", "--scheme", scheme)

    assert answer.exit_code == 2
    assert "basic" in answer.output


def test_people_get_the_secret_on_a_line_of_its_own() -> None:
    result = source("add", "patchline", "for-people")

    [secret] = [line for line in result.stdout.splitlines() if line.startswith("secret: ")]
    assert schemes.is_secret(schemes.Scheme.STANDARD_WEBHOOKS, secret.removeprefix("secret: "))


def test_ninjaone_gets_a_static_secret(database: Database, sealing_key_file: Path) -> None:
    rows(source("add", "ninjaone", "static", "--header", "X-Shared", "--json"))

    scheme = believed(database, sealing_key_file)["/webhooks/rmm/ninjaone/static"].scheme
    assert isinstance(scheme, StaticHeader)
    assert scheme.header_name == b"x-shared"


def test_a_secret_can_go_into_a_file_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "secret"

    result = source("add", "patchline", "filed", "--secret-file", str(file))

    secret = file.read_text().strip()
    assert schemes.is_secret(schemes.Scheme.STANDARD_WEBHOOKS, secret)
    assert secret not in result.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_kept_and_nothing_is_added(tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")

    result = source("add", "patchline", "unfiled", "--secret-file", str(file))

    assert result.exit_code == 2
    assert file.read_text() == "precious"
    assert "unfiled" not in source("list", "--json").stdout


def test_a_secret_that_the_sender_chose_is_taken_and_not_shown(
    database: Database, sealing_key_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "given"
    file.write_text("whsec_" + "QUJD" * 8 + "\n")

    result = source("add", "patchline", "given", "--given-secret-file", str(file))

    scheme = believed(database, sealing_key_file)["/webhooks/rmm/patchline/given"].scheme
    assert isinstance(scheme, StandardWebhooks)
    assert scheme.keys[0] == b"ABC" * 8
    assert "QUJD" not in result.output


def test_a_list_never_shows_a_secret(tmp_path: Path) -> None:
    shared = tmp_path / "client-secret"
    shared.write_text("the oauth secret")
    words = ("--api-url", "https://api.example.com/", "--client-id", "us", "--client-secret-file", str(shared))
    [added] = rows(source("add", "ninjaone", "listed", *words, "--poll-seconds", "60", "--json"))

    listed = source("list", "--json")

    [row] = [row for row in rows(listed) if row["source"] == "rmm/ninjaone/listed"]
    assert (row["live_secrets"], row["enabled"], row["quarantined_at"]) == (1, True, None)
    assert (row["api_url"], row["client_id"], row["poll_seconds"]) == ("https://api.example.com", "us", 60)
    assert added["secret"] not in listed.output
    assert "the oauth secret" not in listed.output
    assert source("list").exit_code == 0


def test_the_secret_for_the_api_is_sealed(database: Database, sealing_key_file: Path, tmp_path: Path) -> None:
    shared = tmp_path / "client-secret"
    shared.write_text("the oauth secret\n")
    rows(source("add", "ninjaone", "sealed", "--json"))
    words = ("--api-url", "https://api.example.com", "--client-id", "us", "--client-secret-file", str(shared))

    rows(source("change", "ninjaone", "sealed", *words, "--json"))

    [row] = queried(
        database.admin,
        "SELECT sealed_client_secret, poll_seconds FROM gateway.source WHERE source_id = 'rmm/ninjaone/sealed'",
    )
    key = read_sealing_key(sealing_key_file)
    box: bytes = row["sealed_client_secret"]
    assert opened(key, box, source_id="rmm/ninjaone/sealed", purpose=Purpose.API) == b"the oauth secret"
    assert row["poll_seconds"] == 900


def test_datto_gets_a_static_secret_and_is_polled_where_its_platform_is(database: Database, tmp_path: Path) -> None:
    shared = tmp_path / "api-secret"
    shared.write_text("the api secret\n")
    words = ("--api-url", "pinotage", "--client-id", "KEY", "--client-secret-file", str(shared))

    [added] = rows(source("add", "datto", "main", *words, "--json"))

    assert added["url"].endswith("/webhooks/rmm/datto/main")
    [row] = queried(database.admin, "SELECT scheme, api_url FROM gateway.source WHERE source_id = 'rmm/datto/main'")
    assert (row["scheme"], row["api_url"]) == ("static-header", "https://pinotage-api.centrastage.net")
    [listed] = [each for each in rows(source("list", "--json")) if each["source"] == "rmm/datto/main"]
    assert (listed["polled_at"], listed["lost_webhooks"]) == (None, None)


def test_a_rotation_leaves_the_secret_before_alive() -> None:
    [first] = rows(source("add", "patchline", "rotated", "--json"))

    [second] = rows(source("rotate", "patchline", "rotated", "--json"))
    rows(source("rotate", "patchline", "rotated", "--json"))

    [row] = [row for row in rows(source("list", "--json")) if row["source"] == "rmm/patchline/rotated"]
    assert first["secret"] != second["secret"]
    assert row["live_secrets"] == 2


def test_a_leaked_secret_can_be_ended_at_once(database: Database) -> None:
    rows(source("add", "patchline", "leaked", "--json"))
    rows(source("rotate", "patchline", "leaked", "--json"))

    rows(source("rotate", "patchline", "leaked", "--at-once", "--json"))

    kept = queried(
        database.admin,
        "SELECT retired_at IS NULL AS live, material IS NULL AS forgotten FROM gateway.source_secret "
        "WHERE source_id = 'rmm/patchline/leaked' ORDER BY created_at",
    )
    assert [tuple(row) for row in kept] == [(False, True), (False, True), (True, False)]


def test_a_quarantined_source_is_released_once(database: Database) -> None:
    rows(source("add", "patchline", "quarantined", "--json"))
    queried(
        database.writer("gateway"),
        "UPDATE source SET quarantined_at = now(), quarantine_reason = 'bad' WHERE name = 'quarantined'",
    )

    released = source("release", "patchline", "quarantined")
    again = source("release", "patchline", "quarantined")

    assert (released.exit_code, again.exit_code) == (0, 1)
    [row] = [row for row in rows(source("list", "--json")) if row["source"] == "rmm/patchline/quarantined"]
    assert (row["quarantined_at"], row["quarantine_reason"]) == (None, None)


def test_a_disabled_source_is_not_believed_until_enabled(database: Database, sealing_key_file: Path) -> None:
    rows(source("add", "patchline", "off", "--json"))

    rows(source("change", "patchline", "off", "--disable", "--json"))
    off = "/webhooks/rmm/patchline/off" in believed(database, sealing_key_file)
    rows(source("change", "patchline", "off", "--enable", "--json"))
    on = "/webhooks/rmm/patchline/off" in believed(database, sealing_key_file)

    assert (off, on) == (False, True)


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        pytest.param(("add", "Ninja One", "x"), 2, "lower-case", id="no name of a vendor"),
        pytest.param(("add", "patchline", "a/b"), 2, "lower-case", id="no name of a source"),
        pytest.param(("add", "patchline", "x", "--scheme", "magic"), 2, "magic", id="no scheme"),
        pytest.param(("add", "patchline", "x", "--header", "x-a"), 2, "--header is", id="a header for what has none"),
        pytest.param(("add", "connectwise", "x"), 2, "--key-host", id="callbacks whose keys may be anywhere"),
        pytest.param(("add", "roundup", "x", "--key-host", "a.eu"), 2, "--key-host", id="a key host for a signature"),
        pytest.param(("add", "ninjaone", "x", "--header", "host"), 2, "host", id="a header of another use"),
        pytest.param(("add", "ninjaone", "x", "--api-url", "https://a"), 2, "all of", id="half of a poller"),
        pytest.param(("add", "patchline", "x", "--given-secret-file", "/none"), 2, "/none", id="no file"),
        pytest.param(("rotate", "patchline", "nobody"), 1, "no source", id="rotate nobody"),
        pytest.param(("release", "patchline", "nobody"), 1, "no source", id="release nobody"),
        pytest.param(("change", "patchline", "nobody", "--disable"), 1, "no source", id="change nobody"),
        pytest.param(("change", "patchline", "nobody"), 2, "nothing to change", id="change nothing"),
    ],
)
def test_what_cannot_be_is_one_clear_line(words: tuple[str, ...], code: int, says: str) -> None:
    result = source(*words)

    assert result.exit_code == code
    assert says in result.output


def test_a_source_is_added_once() -> None:
    rows(source("add", "patchline", "twice", "--json"))

    again = source("add", "patchline", "twice")

    assert again.exit_code == 1
    assert "patchline source rotate patchline twice" in again.output


def test_an_api_is_called_encrypted(tmp_path: Path) -> None:
    shared = tmp_path / "client-secret"
    shared.write_text("secret")
    words = ("--api-url", "http://api.example.com", "--client-id", "us", "--client-secret-file", str(shared))

    result = source("add", "ninjaone", "plain", *words)

    assert result.exit_code == 2
    assert "https" in result.output


def test_without_a_database_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATCHLINE_OPERATOR_URL", "postgresql://nobody@127.0.0.1:1/none")

    result = source("list")

    assert result.exit_code == 3
    assert "patchline status" in result.output


def test_a_source_is_given_a_rate_of_its_own_and_loses_it_again() -> None:
    rows(source("add", "patchline", "busy", "--json"))
    before, given, without = [
        next(row["live_rate"] for row in rows(source("list", "--json")) if row["source"] == "rmm/patchline/busy")
        for changed in ((), ("--live-rate", "50"), ("--live-rate", "0"))
        if not changed or rows(source("change", "patchline", "busy", *changed, "--json"))
    ]

    assert (before, given, without) == (None, 50.0, None)
