"""The alerts that Datto RMM's monitors raise and resolve on the simulated day: what its webhooks and its API both show.

Only monitors push: an installed update, a scan, a new device are told by no webhook.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from simulators.day import Day
from simulators.fleet import NAMESPACE, Client, Device
from simulators.releases import Release
from simulators.script import Happening, What


class _Monitor(NamedTuple):
    """How one monitor words its alerts: context class, type, category, priority, message."""

    context: str
    kind: str
    category: str
    priority: str
    message: str


MONITORS: Final[Mapping[What, _Monitor]] = {
    What.ALERT: _Monitor(
        "disk_usage_ctx", "Disk Usage", "Disk", "Moderate", "The free space of drive C:\\ is below 10 %, 'C:\\temp' too"
    ),
    What.OFFLINE: _Monitor("online_offline_status_ctx", "Online Status", "Status", "High", "Device went offline"),
    What.FAILED: _Monitor(
        "patch_ctx",
        "Patch",
        "Patch",
        "High",
        'Patch "{title}" failed on {host}: {code}\nC:\\Windows\\SoftwareDistribution, run by {domain}\\svc.patch',
    ),
}
"""The words of types and categories are invented: Datto lists none."""

_OVER_BY: Final = {What.ALERT_OVER: What.ALERT, What.ONLINE: What.OFFLINE, What.INSTALLED: What.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert: what raised it and, once its condition was over, what resolved it."""

    raised: Happening
    over: Happening | None = None

    @property
    def monitor(self) -> _Monitor:
        """Return how its monitor words it."""
        return MONITORS[self.raised.what]

    @property
    def uid(self) -> UUID:
        """Return Datto's id of it: each time a condition comes true is another alert."""
        raised = self.raised
        return uuid5(NAMESPACE, f"datto-alert/{raised.device.uid}/{raised.what}/{raised.at.isoformat()}")

    @property
    def message(self) -> str:
        """Return its text, with all that a JSON template is afraid of."""
        raised = self.raised
        return self.monitor.message.format(
            title=raised.release.title if raised.release else "",
            host=raised.device.hostname,
            code=raised.code,
            domain=raised.device.client.prefix,
        )

    def actions(self, moment: datetime) -> list[dict[str, Any]]:
        """Return what was done about it until `moment`; a webhook that was lost is an error here."""
        told = [each for each in (self.raised, self.over) if each is not None and _is_told(each) and each.at <= moment]
        return [
            {
                "actionTime": int(each.at.timestamp() * 1000),
                "actionType": "WEBHOOK_EXECUTED" if each.told else "WEBHOOK_EXECUTION_ERROR",
                "description": "Webhook",
                "actionReference": None,
                "actionReferenceInt": None,
            }
            for each in told
        ]


def _is_told(happening: Happening) -> bool:
    return happening.what is not What.INSTALLED


def alerts_of(day: Day) -> list[Alert]:
    """Return all alerts of the day, in the order in which they were raised."""
    standing: dict[tuple[UUID, What, Release | None], list[Alert]] = {}
    done: list[Alert] = []
    for each in day.happenings:
        if each.what in MONITORS:
            standing.setdefault((each.device.uid, each.what, each.release), []).append(Alert(raised=each))
        elif each.what in _OVER_BY:
            key = (each.device.uid, _OVER_BY[each.what], each.release)
            done += [Alert(raised=alert.raised, over=each) for alert in standing.pop(key, [])]
    open_ones = [alert for alerts in standing.values() for alert in alerts]
    return sorted([*done, *open_ones], key=lambda each: (each.raised.at, each.uid))


def site_uid(client: Client) -> str:
    """Return Datto's id of a client's site."""
    return str(uuid5(NAMESPACE, f"datto-site/{client.name}"))


def device_number(device: Device) -> int:
    """Return the number that Datto gives a device beside its uid."""
    return 9_000_000 + device.number
