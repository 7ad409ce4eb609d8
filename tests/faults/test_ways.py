"""Where services are led when a proxy stands between them and a part; everybody else goes straight."""

from pathlib import Path

from faults.ways import addressed, through
from patchline.stack import programs
from patchline.stack.programs import PROGRAMS, Surroundings

INVENTORY = next(each for each in PROGRAMS if each.name == "inventory")


def around(**changes: str) -> Surroundings:
    return Surroundings(
        home=Path("/home"),
        kafka="127.0.0.1:9092",
        database="postgresql://postgres:secret@127.0.0.1:5432/patchline",
        tracker={},
        gateway_port=1,
        health_port=2,
        simulator_port=3,
        **changes,  # type: ignore[arg-type]  # the two ways are text
    )


def test_a_service_goes_the_way_it_is_led_and_command_lines_go_straight() -> None:
    straight = around()
    led = around(kafka_way="127.0.0.1:7", database_way=through(straight.database, 8))

    own, typed = programs.environment(INVENTORY, led), programs.command_environment(led)

    assert own["PATCHLINE_KAFKA"] == "127.0.0.1:7"
    assert own["PATCHLINE_DATABASE_URL"] == "postgresql://inventory_writer@127.0.0.1:8/patchline"
    assert typed == programs.command_environment(straight)


def test_a_database_behind_a_proxy_keeps_its_login() -> None:
    assert through(around().database, 8) == "postgresql://postgres:secret@127.0.0.1:8/patchline"


def test_a_request_through_a_proxy_is_addressed_to_the_tracker_itself() -> None:
    asked = b"GET /rest HTTP/1.1\r\nHost: 127.0.0.1:7\r\n\r\n127.0.0.1:7\r\n"

    put = addressed(7, 80)(asked)

    assert put == b"GET /rest HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n127.0.0.1:7\r\n"
