"""`patchline client`, as typed, against a real database; and what each role may see."""

from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from chassis import outbox
from contracts.envelope import Envelope, decode
from contracts.events.client import ClientChanged
from contracts.ids import tenant_id
from services.gateway.commands import client_app, source_app
from tests.gateway.typed import client, queried, rows, source
from tests.parts import Database

pytestmark = pytest.mark.usefixtures("command_line")


def announced(database: Database, name: str) -> list[Envelope]:
    kept = queried(
        database.admin,
        "SELECT headers, value FROM gateway.outbox WHERE topic = 'clients' AND key = $1 ORDER BY id",
        str(tenant_id(name)).encode(),
    )
    return [decode(outbox.headers_of(row["headers"]), row["value"]) for row in kept]


class TestClient:
    def test_a_new_client_is_told_to_everyone(self, database: Database) -> None:
        [row] = rows(client("add", "Acme Dental", "--zone", "Europe/Berlin", "--psa-company", "ACME", "--json"))

        [event] = announced(database, "Acme Dental")
        assert row["tenant"] == str(tenant_id("Acme Dental")) == str(event.tenant)
        assert event.data == ClientChanged(name="Acme Dental", zone="Europe/Berlin", psa_company="ACME")
        assert event.sequence is not None

    def test_a_change_is_told_with_the_next_number_and_no_change_is_not(self, database: Database) -> None:
        rows(client("add", "Birch Law", "--zone", "UTC", "--owner-contact", "owner@birch.example", "--json"))

        rows(client("change", "Birch Law", "--zone", "Europe/Vienna", "--json"))
        rows(client("change", "Birch Law", "--zone", "Europe/Vienna", "--json"))

        first, second = announced(database, "Birch Law")
        assert isinstance(second.data, ClientChanged)
        assert (second.data.zone, second.data.owner_contact) == ("Europe/Vienna", "owner@birch.example")
        assert (first.sequence or 0) < (second.sequence or 0)
        assert first.id != second.id

    def test_a_client_keeps_its_id_under_a_new_name(self) -> None:
        rows(client("add", "Old Name", "--zone", "UTC", "--json"))

        [row] = rows(client("change", "Old Name", "--new-name", "New Name", "--json"))
        again = client("add", "Old Name", "--zone", "UTC")

        assert row["tenant"] == str(tenant_id("Old Name"))
        assert again.exit_code == 1
        assert "New Name" in again.output

    def test_all_clients_are_listed(self) -> None:
        rows(client("add", "Listed One", "--zone", "UTC", "--json"))
        rows(client("add", "Listed Two", "--zone", "UTC", "--json"))

        names = [row["name"] for row in rows(client("list", "--json"))]

        assert {"Listed One", "Listed Two"} <= set(names)
        assert names == sorted(names)
        assert client("list").exit_code == 0

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            pytest.param(("add", "X", "--zone", "Berlin"), 2, "Europe/Berlin", id="nearly a zone"),
            pytest.param(("add", "X", "--zone", "Nowhere/Land"), 2, "no IANA time zone", id="no zone"),
            pytest.param(("add", "X", "--zone", "EST"), 2, "no IANA time zone", id="clocks that never change"),
            pytest.param(("add", "", "--zone", "UTC"), 2, "name", id="no name"),
            pytest.param(("add", "x" * 513, "--zone", "UTC"), 2, "name", id="too long a name"),
            pytest.param(("change", "Nobody", "--zone", "UTC"), 1, "no client", id="change nobody"),
            pytest.param(("change", "Nobody"), 2, "nothing to change", id="change nothing"),
            pytest.param(("map", "Nobody", "patchline/x", "1"), 1, "no client", id="map nobody"),
            pytest.param(("map", "Nobody", "patchline", "1"), 2, "ninjaone/main", id="no source's name"),
            pytest.param(("map", "Nobody", "patchline/x", " "), 2, "empty", id="no organisation"),
        ],
    )
    def test_what_cannot_be_is_one_clear_line(self, words: tuple[str, ...], code: int, says: str) -> None:
        result = client(*words)

        assert result.exit_code == code
        assert says in result.output

    def test_a_name_is_given_once(self) -> None:
        rows(client("add", "Taken", "--zone", "UTC", "--json"))
        rows(client("add", "Taker", "--zone", "UTC", "--json"))

        added, renamed = client("add", "Taken", "--zone", "UTC"), client("change", "Taker", "--new-name", "Taken")

        assert (added.exit_code, renamed.exit_code) == (1, 1)
        assert "taken" in added.output
        assert "taken" in renamed.output


@pytest.mark.usefixtures("command_line", "parties")
class TestMapping:
    @pytest.fixture
    def parties(self) -> None:
        for name in ("North", "South"):
            client("add", name, "--zone", "Europe/Berlin")
        source("add", "ninjaone", "maps")

    def mapped(self, organisation: str) -> list[tuple[str, str | None, str | None, str | None]]:
        return [
            (row["client"], row["site"], row["valid_from"], row["valid_to"])
            for row in rows(client("list", "--mappings", "--json"))
            if row["organisation"] == organisation
        ]

    def test_an_organisation_belongs_to_a_client_since_ever(self) -> None:
        rows(client("map", "North", "ninjaone/maps", "1", "--json"))

        assert self.mapped("1") == [("North", None, None, None)]

    def test_it_can_move_to_another_client_on_a_day_of_that_client(self) -> None:
        rows(client("map", "North", "ninjaone/maps", "2", "--json"))
        taken = client("map", "South", "rmm/ninjaone/maps", "2", "--from", "2026-03-01")

        rows(client("unmap", "North", "ninjaone/maps", "2", "--to", "2026-03-01", "--json"))
        rows(client("map", "South", "ninjaone/maps", "2", "--from", "2026-03-01", "--json"))

        moved = "2026-02-28 23:00:00+00:00"
        assert taken.exit_code == 1
        assert "'North'" in taken.output
        assert self.mapped("2") == [("North", None, None, moved), ("South", None, moved, None)]

    def test_a_site_can_belong_to_another_client(self) -> None:
        rows(client("map", "North", "ninjaone/maps", "3", "--json"))

        rows(client("map", "South", "ninjaone/maps", "3", "--site", "7", "--json"))

        assert self.mapped("3") == [("North", None, None, None), ("South", "7", None, None)]

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            pytest.param(("map", "North", "ninjaone/none", "4"), 1, "no source", id="no such source"),
            pytest.param(("map", "North", "ninjaone/maps", "4", "--from", "soon"), 2, "2026-03-01", id="no date"),
            pytest.param(
                ("map", "North", "ninjaone/maps", "4", "--from", "2026-03-02", "--to", "2026-03-01"),
                2,
                "later",
                id="ends before it begins",
            ),
            pytest.param(("unmap", "North", "ninjaone/maps", "4"), 1, "no open mapping", id="nothing to end"),
        ],
    )
    def test_what_cannot_be_is_one_clear_line(self, words: tuple[str, ...], code: int, says: str) -> None:
        result = client(*words)

        assert result.exit_code == code
        assert says in result.output
        assert self.mapped("4") == []


class TestRoles:
    @pytest.mark.parametrize("table", ["source", "source_secret"])
    def test_readers_see_nothing_of_sources(self, database: Database, table: str) -> None:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            queried(database.reader, f"SELECT * FROM gateway.{table}")

    @pytest.mark.parametrize("column", ["material", "sealed_client_secret"])
    def test_the_operator_reads_no_secret_back(self, database: Database, column: str) -> None:
        table = "source_secret" if column == "material" else "source"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            queried(database.operator, f"SELECT {column} FROM gateway.{table}")

    def test_only_the_operator_may_list_all_tenants(self, database: Database) -> None:
        assert queried(database.operator, "SELECT gateway.all_tenants()")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            queried(database.reader, "SELECT gateway.all_tenants()")

    @pytest.mark.parametrize("table", ["client", "client_mapping"])
    def test_without_tenants_nobody_sees_a_client(self, database: Database, table: str) -> None:
        query = f"SELECT * FROM gateway.{table}"

        assert client("list", "--json").exit_code == 0
        assert queried(database.reader, query) == []
        assert queried(database.operator, query) == []


@pytest.mark.parametrize(("app", "words"), [(source_app, "source"), (client_app, "client")], ids=["source", "client"])
def test_every_command_shows_an_example(app: Any, words: str) -> None:
    for command in app.registered_commands:
        name = command.name or command.callback.__name__
        shown = CliRunner().invoke(app, [name, "--help"]).output

        assert f"patchline {words} {name}" in shown
