"""`python -m services.ticketing`: consumes what compliance found, and keeps the tracker's tickets true."""

from chassis.running import run_to_the_end
from chassis.settings import read
from services.ticketing.app import run
from services.ticketing.settings import TicketingSettings


def main() -> None:
    """Run until SIGTERM."""
    settings = read(TicketingSettings)
    run_to_the_end("ticketing", settings, lambda: run(settings))


if __name__ == "__main__":
    main()
