"""Which ticket system the settings name, and how gently it is called."""

from collections.abc import Callable, Mapping
from typing import Final

from chassis.http import Policy
from chassis.settings import read
from services.ticketing.adapters import connectwise, request_tracker, roundup
from services.ticketing.adapters.connectwise_settings import ConnectWiseSettings
from services.ticketing.adapters.request_tracker_settings import RequestTrackerSettings
from services.ticketing.adapters.tracker import Tracker
from services.ticketing.settings import TicketingSettings


def connected(settings: TicketingSettings) -> Tracker:
    """Return the tracker that the settings name.

    Raises:
        WrongSetting: its address, its secret's file or one of its own settings is wrong.
    """
    return CONNECT[settings.tracker_kind](settings, policy_of(settings))


def policy_of(settings: TicketingSettings) -> Policy:
    """Return how gently the tracker is called."""
    return Policy(
        calls_per_second=settings.tracker_calls_per_second,
        burst=settings.tracker_burst,
        share=settings.tracker_share_of_a_client,
        timeout_seconds=settings.tracker_timeout_seconds,
        attempts=2,
    )


def _roundup(settings: TicketingSettings, policy: Policy) -> Tracker:
    words = roundup.Words(
        open_status=settings.tracker_open_status,
        resolved_status=settings.tracker_resolved_status,
        closed_statuses=frozenset(each.strip() for each in settings.tracker_closed_statuses.split(",")),
        superseder=settings.tracker_superseder or None,
    )
    return roundup.connect(
        settings.tracker_url,
        login=roundup.Login(settings.tracker_user, settings.tracker_password),
        policy=policy,
        words=words,
        origin=settings.tracker_origin,
    )


def _request_tracker(settings: TicketingSettings, policy: Policy) -> Tracker:
    names = read(RequestTrackerSettings).names
    return request_tracker.connect(settings.tracker_url, token=settings.tracker_password, policy=policy, names=names)


def _connectwise(settings: TicketingSettings, policy: Policy) -> Tracker:
    own = read(ConnectWiseSettings)
    login = own.login(settings.tracker_user, settings.tracker_password)
    return connectwise.connect(settings.tracker_url, login=login, policy=policy, words=own.words, version=own.version)


CONNECT: Final[Mapping[str, Callable[[TicketingSettings, Policy], Tracker]]] = {
    "roundup": _roundup,
    "rt": _request_tracker,
    "connectwise": _connectwise,
}
"""By `PATCHLINE_TRACKER_KIND`. A kind is listed here and in `TicketingSettings.tracker_kind`, and nowhere else."""
