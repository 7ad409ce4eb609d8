"""`patchline source` for feeds, as typed: where each delivers, how it proves itself, whose its logins are."""

import hashlib
from pathlib import Path

import pytest

from services.gateway.door.verification import NOBODY, ClientState, StandardWebhooks, StaticHeader
from tests.gateway.typed import believed, client, queried, rows, source
from tests.parts import Database

pytestmark = pytest.mark.usefixtures("command_line")


def test_a_feed_has_a_path_of_its_own_and_a_secret_in_a_header(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "spycloud", "main", "--json"))

    scheme = believed(database, sealing_key_file)["/webhooks/exposure/spycloud/main"].scheme
    assert (row["source"], row["url"]) == (
        "exposure/spycloud/main",
        "https://hooks.example.com/webhooks/exposure/spycloud/main",
    )
    assert isinstance(scheme, StaticHeader)
    assert scheme.digests[0] == hashlib.sha256(row["secret"].encode()).digest()


def test_our_own_format_is_asked_for_with_its_kind_and_is_another_source_than_the_rmm_of_that_name(
    database: Database, sealing_key_file: Path
) -> None:
    told = [rows(source("add", each, "both", "--json"))[0]["source"] for each in ("patchline", "exposure/patchline")]

    by_path = believed(database, sealing_key_file)
    assert told == ["rmm/patchline/both", "exposure/patchline/both"]
    assert isinstance(by_path["/webhooks/exposure/patchline/both"].scheme, StandardWebhooks)
    assert "/webhooks/exposure/patchline/both/bulk" not in by_path
    assert rows(source("rotate", "exposure/patchline", "both", "--json"))[0]["source"] == told[1]


def test_the_secret_of_graph_is_a_client_state(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "graph", "main", "--json"))

    scheme = believed(database, sealing_key_file)["/webhooks/exposure/graph/main"].scheme
    assert isinstance(scheme, ClientState)
    assert scheme.digests[0] == hashlib.sha256(row["secret"].encode()).digest()


def test_approval_links_are_a_source_without_a_secret_at_one_path(database: Database, sealing_key_file: Path) -> None:
    [row] = rows(source("add", "approval", "links", "--json"))

    assert (row["source"], row["url"]) == ("exposure/approval/links", "https://hooks.example.com/approvals")
    assert "secret" not in row
    assert believed(database, sealing_key_file)["/approvals"].scheme is NOBODY
    assert source("rotate", "approval", "links").exit_code == 1
    assert source("add", "approval", "others").exit_code == 1


def test_a_feed_without_a_webhook_has_no_address_and_no_secret_of_ours(
    database: Database, sealing_key_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "hibp.key").write_text("0123456789abcdef0123456789abcdef")
    where = ("--api-url", "https://haveibeenpwned.com", "--client-secret-file", str(tmp_path / "hibp.key"))

    [row] = rows(source("add", "hibp", "main", *where, "--json"))

    assert row == {"source": "exposure/hibp/main"}
    assert believed(database, sealing_key_file)["/webhooks/exposure/hibp/main"].scheme is NOBODY
    assert source("rotate", "hibp", "main").exit_code == 1
    [shown] = [each for each in rows(source("list", "--json")) if each["source"] == "exposure/hibp/main"]
    assert (shown["scheme"], shown["poll_seconds"]) == ("polled", 900)
    assert "0123456789abcdef" not in str(shown)


def test_what_of_a_feed_could_not_be_read_is_shown(database: Database, tmp_path: Path) -> None:
    (tmp_path / "hibp.key").write_text("0123456789abcdef0123456789abcdef")
    where = ("--api-url", "https://haveibeenpwned.com", "--client-secret-file", str(tmp_path / "hibp.key"))
    rows(source("add", "hibp", "refused", *where, "--json"))
    queried(
        database.writer("gateway"),
        "INSERT INTO poll_state (source, next_at, failures, last_error) VALUES ($1, now(), 4, $2)",
        "exposure/hibp/refused",
        "acme.example: not verified",
    )

    [shown] = [each for each in rows(source("list", "--json")) if each["source"] == "exposure/hibp/refused"]

    assert (shown["failed_polls"], shown["poll_error"]) == (4, "acme.example: not verified")


def test_a_domain_is_mapped_as_any_organisation_is() -> None:
    rows(source("add", "spycloud", "mapped", "--json"))
    rows(client("add", "Acme", "--zone", "Europe/Berlin", "--json"))

    assert client("map", "Acme", "exposure/spycloud/mapped", "acme.example").exit_code == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        pytest.param(("spycloud", "x", "--scheme", "client-state"), "client-state is for graph", id="another's scheme"),
        pytest.param(("graph", "x", "--scheme", "static-header"), "client-state is for graph", id="another scheme"),
        pytest.param(("patchline", "x", "--scheme", "approval-link"), "approval-link is for approval", id="links"),
        pytest.param(("spycloud", "x", "--scheme", "polled"), "polled is for hibp", id="delivers"),
        pytest.param(("hibp", "x", "--scheme", "static-header"), "polled is for hibp", id="is read"),
        pytest.param(("exposure/ninjaone", "x"), "lower-case", id="an RMM is no feed"),
        pytest.param(("edr/patchline", "x"), "lower-case", id="no such kind"),
        pytest.param(("graph", "x", "--header", "x-state"), "--header is for", id="a header"),
    ],
)
def test_what_a_feed_cannot_be_is_refused(words: tuple[str, ...], reason: str) -> None:
    result = source("add", *words)

    assert result.exit_code == 2
    assert reason in result.stderr
