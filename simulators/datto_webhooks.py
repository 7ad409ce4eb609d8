"""What Datto RMM's webhooks post: our template with its variables filled in, escaped soundly, partly, or not at all.

How Datto escapes is not documented; that backslashes get lost was seen in public logs. So all ways occur.
"""

import json
from enum import Enum, auto
from typing import Final

from simulators.datto_alerts import Alert, alerts_of, device_number, site_uid
from simulators.day import Day
from simulators.script import Happening

TEMPLATE: Final = """{"schema":"patchline.datto/1",
"eventType":"<event>",
"alertUid":"[alert_uid]",
"deviceUid":"[device_uid]",
"siteUid":"[site_uid]",
"platform":"[platform]",
"deviceId":"[device_id]",
"siteId":"[site_id]",
"alertType":"[alert_type]",
"category":"[alert_category]",
"priority":"[alert_priority]",
"ip":"[device_ip]",
"os":"[device_os]",
"hostname":"[device_hostname]",
"siteName":"[site_name]",
"description":"[device_description]",
"lastUser":"[last_user]",
"trigger":"[alert]",
"message":"[alert_message_en]",
"end":"patchline.datto/1"}
"""
"""As docs/rmm/datto.md hands it out; `<event>` is alert.raised in one of the two, alert.resolved in the other."""


class Escaping(Enum):
    """What becomes of quotes, backslashes and line ends in the text that is put in place of a variable."""

    SOUND = auto()
    NONE = auto()
    LOSSY = auto()


class Monitors:
    """The monitors of one day, which know the alert that a happening raises or resolves."""

    def __init__(self, day: Day) -> None:
        """Watch the whole day."""
        alerts = alerts_of(day)
        self._raised = {id(alert.raised): alert for alert in alerts}
        self._over = {id(alert.over): alert for alert in alerts if alert.over is not None}

    def message(self, happening: Happening, number: int) -> bytes | None:
        """Return the body of the webhook for `happening`; `None` where no monitor pushes one.

        The way of escaping changes with `number`.
        """
        ways = list(Escaping)
        raised = self._raised.get(id(happening))
        if raised is not None:
            return body(raised, "alert.raised", ways[number % len(ways)])
        over = self._over.get(id(happening))
        if over is not None and over.raised.release is None:
            return body(over, "alert.resolved", ways[number % len(ways)])
        return None


def body(alert: Alert, event_type: str, escaping: Escaping) -> bytes:
    """Return the template of `event_type` filled in for `alert`."""
    device = alert.raised.device
    values = {
        "alert_uid": str(alert.uid),
        "device_uid": str(device.uid),
        "site_uid": site_uid(device.client),
        "platform": "Pinotage",
        "device_id": str(device_number(device)),
        "site_id": str(device.client.organisation),
        "alert_type": alert.monitor.kind,
        "alert_category": alert.monitor.category,
        "alert_priority": alert.monitor.priority,
        "device_ip": "192.0.2.17",
        "device_os": device.system.name,
        "device_hostname": device.hostname,
        "site_name": device.client.name,
        "device_description": f'the one they call "{device.hostname.lower()}"',
        "last_user": f"{device.client.prefix}\\user{device.number}",
        "alert": f"{alert.monitor.kind} monitor",
        "alert_message_en": alert.message,
    }
    text = TEMPLATE.replace("<event>", event_type)
    for variable, value in values.items():
        text = text.replace(f"[{variable}]", _escaped(value, escaping))
    return text.encode()


def _escaped(value: str, escaping: Escaping) -> str:
    match escaping:
        case Escaping.SOUND:
            return json.dumps(value, ensure_ascii=False)[1:-1]
        case Escaping.LOSSY:
            return value.replace("\\", "")
        case Escaping.NONE:
            return value
