"""`python -m services.gateway accept|translate|poll`: one process of the gateway."""

import sys
from typing import Final

from chassis.commands import WRONG_USE, stop
from chassis.errors import WrongSetting

PROCESSES: Final = ("accept", "translate", "poll")


def main(arguments: list[str]) -> None:
    """Run the process that is named; each imports only what it needs."""
    match arguments:
        case ["accept"]:
            from services.gateway.door.accept_app import main as run  # noqa: PLC0415
        case ["translate"]:
            from services.gateway.translation.translate_app import main as run  # noqa: PLC0415
        case ["poll"]:
            from services.gateway.polling.poll_app import main as run  # noqa: PLC0415
        case _:
            stop(f"which process? python -m services.gateway {'|'.join(PROCESSES)}", WRONG_USE)
    try:
        run()
    except WrongSetting as error:
        stop(str(error), WRONG_USE)


if __name__ == "__main__":
    main(sys.argv[1:])
