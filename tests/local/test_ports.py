"""A part gets a port that nobody else has, or says whose setting chooses another."""

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from patchline.local import ports


def test_parts_that_ask_side_by_side_never_get_the_same_port() -> None:
    with ThreadPoolExecutor(8) as asking:
        given = list(asking.map(lambda _: ports.claimed(0, setting=""), range(200)))

    assert len(set(given)) == 200


def test_no_outgoing_connection_can_have_it_before_its_part_does() -> None:
    assert ports.claimed(0, setting="") < 32_768


def test_a_port_that_is_taken_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((ports.LOOPBACK, ports.claimed(0, setting=""))) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_FREE", range(number, number + 1))
        monkeypatch.setattr(ports, "_GIVEN", set())

        with pytest.raises(ports.PortTaken, match="set PATCHLINE_KAFKA_PORT"):
            ports.claimed(0, setting="PATCHLINE_KAFKA_PORT")


def test_who_wants_a_taken_port_is_told_what_to_set() -> None:
    with socket.create_server((ports.LOOPBACK, ports.claimed(0, setting=""))) as taken:
        number = taken.getsockname()[1]

        with pytest.raises(ports.PortTaken, match=f"port {number} is taken .* PATCHLINE_POSTGRES_PORT"):
            ports.claimed(number, setting="PATCHLINE_POSTGRES_PORT")


def test_ports_in_a_row_are_free_and_given_to_nobody_else() -> None:
    before = {ports.claimed(0, setting="") for _ in range(200)}
    with ThreadPoolExecutor(8) as asking:
        firsts = list(asking.map(lambda _: ports.claimed_range(0, 9, setting=""), range(50)))
    after = {ports.claimed(0, setting="") for _ in range(200)}
    in_rows = {port for first in firsts for port in range(first, first + 9)}

    assert len(in_rows) == 50 * 9
    assert in_rows.isdisjoint(before | after)


def test_a_row_with_a_taken_port_in_it_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((ports.LOOPBACK, ports.claimed(0, setting=""))) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(ports, "_FREE", range(number - 1, number + 2))
        monkeypatch.setattr(ports, "_GIVEN", set())

        with pytest.raises(ports.PortTaken, match="set PATCHLINE_STACK_HEALTH_PORT"):
            ports.claimed_range(0, 3, setting="PATCHLINE_STACK_HEALTH_PORT")
        with pytest.raises(ports.PortTaken, match=f"port {number} is taken .* PATCHLINE_STACK_HEALTH_PORT"):
            ports.claimed_range(number - 1, 3, setting="PATCHLINE_STACK_HEALTH_PORT")
