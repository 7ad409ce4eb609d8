"""`python -m services.credentials`: opens cases of exposed credentials and carries them to their end."""

from chassis.running import run_to_the_end
from chassis.settings import read
from services.credentials.app import run
from services.credentials.settings import CredentialsSettings


def main() -> None:
    """Run until SIGTERM."""
    settings = read(CredentialsSettings)
    run_to_the_end("credentials", settings, lambda: run(settings))


if __name__ == "__main__":
    main()
