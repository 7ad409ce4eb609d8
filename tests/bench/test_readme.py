"""The benchmark's table in README.md."""

import pytest

from bench.readme import PLACE, table
from bench.report import HEADINGS, Figure, at_most, beside
from checks.readme import NoPlace

MACHINE = {"command": "make bench", "cores": 2, "memory_gib": 23.4, "pinned": "nothing is pinned"}


def test_it_names_the_machine_by_cores_and_memory_and_has_the_commands_columns() -> None:
    made = table(
        [beside("relay", {"unit": "records/s", "value": 9, "floor": 10, "ratio": 0.9, "rounds": 1, "spread": None})],
        MACHINE,
    )

    assert made.splitlines() == [
        "One run of `make bench` on 2 cores, 23 GiB; nothing is pinned:",
        "",
        f"| {' | '.join(HEADINGS)} |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| relay | 9.0 records/s | 10.0 | 0.90 | 0.90 .. 0.90 |  |  |",
    ]


def test_of_processes_that_one_bound_holds_for_the_worst_is_shown() -> None:
    rows = [at_most(f"cold start to ready, {name}", took, "s", 2) for name, took in (("a", 0.9), ("b", 1.4))]
    rows += [at_most("webhook to ticket, p50", 90, "ms", 200), at_most("webhook to ticket, p99", 400, "ms", 1000)]

    stages = [line.split("|")[1].strip() for line in table(rows, MACHINE).splitlines()[4:]]

    assert stages == [
        "cold start to ready, most of 2 processes: b",
        "webhook to ticket, p50",
        "webhook to ticket, p99",
    ]


def test_it_is_put_between_its_comments_again_and_again() -> None:
    once = PLACE.written_into(f"before\n{PLACE.begin}\nold\n{PLACE.end}\nafter\n", "new")

    assert once == f"before\n{PLACE.begin}\n\nnew\n\n{PLACE.end}\nafter\n"
    assert PLACE.written_into(once, "new") == once


def test_a_document_without_a_place_for_it_is_refused() -> None:
    with pytest.raises(NoPlace, match="both comments"):
        PLACE.written_into("no place", "new")


def test_a_missed_row_says_so() -> None:
    row = Figure(stage="state", value=1.0, unit="events/s", reach="ratio >= 0.25", ok=False)

    assert table([row], MACHINE).endswith("| ratio >= 0.25 | MISSED |")
