"""What a process is told of the ticket system, and what nobody is told."""

from pathlib import Path

from patchline.local.psa import Access, Psa
from patchline.stack import programs
from patchline.stack.programs import PROGRAMS, Surroundings

ACCESS = Access(
    kind=Psa.CONNECTWISE,
    url="http://127.0.0.1:1",
    user="patchline",
    password="of the tracker",
    settings={"PATCHLINE_CONNECTWISE_BOARD": "Patching"},
    secrets={"PATCHLINE_CONNECTWISE_PUBLIC_KEY_FILE": "the other half"},
)


def around(home: Path) -> Surroundings:
    return Surroundings(
        home=home,
        kafka="k",
        database="postgresql://d@127.0.0.1/d",
        tracker=programs.tracker_settings(ACCESS, home / "secrets"),
        gateway_port=1,
        health_port=2,
        simulator_port=3,
    )


def test_only_ticketing_is_told_which_ticket_system_there_is(tmp_path: Path) -> None:
    told = {each.name: programs.environment(each, around(tmp_path)) for each in PROGRAMS}

    knows = [name for name, env in told.items() if any("TRACKER" in each or "CONNECTWISE" in each for each in env)]
    assert knows == ["ticketing"]
    assert told["ticketing"]["PATCHLINE_TRACKER_KIND"] == "connectwise"
    assert told["ticketing"]["PATCHLINE_CONNECTWISE_BOARD"] == "Patching"


def test_secrets_of_the_ticket_system_travel_as_names_of_files(tmp_path: Path) -> None:
    settings = programs.tracker_settings(ACCESS, tmp_path)

    assert not {"of the tracker", "the other half"} & set(settings.values())
    assert settings["PATCHLINE_TRACKER_PASSWORD_FILE"] != settings["PATCHLINE_CONNECTWISE_PUBLIC_KEY_FILE"]
    assert Path(settings["PATCHLINE_CONNECTWISE_PUBLIC_KEY_FILE"]).parent == tmp_path


def test_a_stack_without_a_ticket_system_names_none(tmp_path: Path) -> None:
    bare = Surroundings(
        home=tmp_path, kafka="k", database="postgresql://d@h/d", tracker={}, gateway_port=1, health_port=2,
        simulator_port=3,
    )  # fmt: skip

    assert bare.tracker_url == ""
    assert not any("TRACKER" in name for name in programs.command_environment(bare))
