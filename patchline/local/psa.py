"""Which ticket system is started here, what ticketing must know of it, and where a person looks at it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

from patchline.local import PartUnavailable, connectwise, request_tracker, roundup
from patchline.local.connectwise import COMPANIES_PATH, ConnectWise
from patchline.local.request_tracker import RequestTracker
from patchline.local.roundup import RateLimit, Roundup

RT_HOME: Final = "request-tracker"


class Psa(StrEnum):
    """A kind of ticket system, as `--psa` and PATCHLINE_PSA name it."""

    ROUNDUP = "roundup"
    RT = "rt"
    CONNECTWISE = "connectwise"


TITLE: Final[Mapping[Psa, str]] = {
    Psa.ROUNDUP: "Roundup",
    Psa.RT: "Request Tracker",
    Psa.CONNECTWISE: "the simulated ConnectWise PSA",
}
"""What people call it."""

PORT: Final[Mapping[Psa, tuple[str, int]]] = {
    Psa.ROUNDUP: ("PATCHLINE_ROUNDUP_PORT", roundup.DEFAULT_PORT),
    Psa.RT: ("PATCHLINE_RT_PORT", request_tracker.DEFAULT_PORT),
    Psa.CONNECTWISE: ("PATCHLINE_CONNECTWISE_PORT", connectwise.DEFAULT_PORT),
}
"""The setting that chooses its port, and the usual one."""

TicketSystem = Roundup | RequestTracker | ConnectWise


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How ticketing reaches a ticket system. `secrets` has further secrets, by the name of the setting for the file."""

    kind: Psa
    url: str
    user: str
    password: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """Where a person looks, and as whom; without a name nobody is asked for one."""

    url: str
    name: str = ""
    password: str = ""

    def told(self, password_file: Path) -> str:
        """Return it as one line for people; the password is in a file, and is not told."""
        return f"{self.url} (name {self.name}, password in {password_file})" if self.name else self.url


def ticket_system(kind: Psa, home: Path, *, port: int, rate_limit: RateLimit | None = None) -> TicketSystem:
    """Return the part that is a ticket system of that kind, with its files below `home`; nothing is started yet.

    Raises:
        PartUnavailable: it is not installed; the message says how it is.
    """
    match kind:
        case Psa.ROUNDUP:
            return Roundup(home / "roundup", port=port, rate_limit=rate_limit)
        case Psa.RT:
            if not request_tracker.is_installed():
                raise PartUnavailable(
                    "Request Tracker is not installed; run `apt-get install --no-install-recommends "
                    f"{request_tracker.PACKAGES}`, or choose another one with --psa"
                )
            return RequestTracker(home / RT_HOME, port=port)
        case Psa.CONNECTWISE:
            return ConnectWise(home / "connectwise", port=port)
        case _:
            assert_never(kind)


def access(desk: TicketSystem) -> Access:
    """Return how ticketing reaches a ticket system that was started."""
    match desk:
        case Roundup():
            login = desk.api_login
            return Access(kind=Psa.ROUNDUP, url=desk.url, user=login.name, password=login.password)
        case RequestTracker():
            queue = {"PATCHLINE_RT_QUEUE": request_tracker.QUEUE}
            user = request_tracker.API_USER
            return Access(kind=Psa.RT, url=desk.url, user=user, password=desk.token, settings=queue)
        case ConnectWise():
            from simulators import connectwise as sandbox  # noqa: PLC0415 - an image, which starts none, has no simulators

            return Access(
                kind=Psa.CONNECTWISE,
                url=desk.url,
                user=sandbox.MEMBER,
                password=sandbox.PRIVATE_KEY,
                settings={
                    "PATCHLINE_CONNECTWISE_COMPANY": sandbox.COMPANY,
                    "PATCHLINE_CONNECTWISE_CLIENT_ID": sandbox.CLIENT_ID,
                    "PATCHLINE_CONNECTWISE_MEMBER": sandbox.MEMBER,
                    "PATCHLINE_CONNECTWISE_BOARD": sandbox.BOARD,
                },
                secrets={"PATCHLINE_CONNECTWISE_PUBLIC_KEY_FILE": sandbox.PUBLIC_KEY},
            )
        case _:
            assert_never(desk)


def page(desk: TicketSystem) -> Page:
    """Return where a person looks at a ticket system that was started. The simulated one shows JSON only."""
    match desk:
        case Roundup():
            return Page(desk.url, desk.admin_login.name, desk.admin_login.password)
        case RequestTracker():
            return Page(desk.url, request_tracker.TECHNICIAN, desk.technician_password)
        case ConnectWise():
            return Page(f"{desk.url}{COMPANIES_PATH}")
        case _:
            assert_never(desk)
