"""The breach as feeds deliver it: each in its own format, several records in one body, and a flood nobody signed."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from simulators.breach import PATCHLINE_FEED, RECORDED_FUTURE_FEED, SPYCLOUD_FEED, Breach, Exposure, Found
from simulators.deliveries import Delivery, Nature
from simulators.fleet import Source

MOST_IN_A_BODY: Final = 4
FLOOD: Final = 500
NAME: Final = "watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed(Source):
    """A place that exposures come from."""

    @property
    def full_name(self) -> str:
        """Return the name that events carry."""
        return f"exposure/{self.vendor}/{self.name}"


SOURCES: Final[Mapping[str, Feed]] = {
    vendor: Feed(vendor=vendor, name=NAME, polls=False)
    for vendor in (PATCHLINE_FEED, SPYCLOUD_FEED, RECORDED_FUTURE_FEED)
}


def deliveries(breach: Breach) -> list[Delivery]:
    """Return the afternoon's deliveries in their order; the forged flood is the first of them."""
    firsts = [each for each in breach.exposures if not each.is_repeat]
    repeats = [each for each in breach.exposures if each.is_repeat]
    return [_flood(breach), *_bodies(firsts, "first"), *_bodies(repeats, "again")]


def _bodies(exposures: Sequence[Exposure], wave: str) -> Iterator[Delivery]:
    by_feed = sorted(exposures, key=lambda each: each.feed)
    for feed, told in groupby(by_feed, key=lambda each: each.feed):
        records = list(told)
        for start in range(0, len(records), MOST_IN_A_BODY):
            yield _delivery(feed, records[start : start + MOST_IN_A_BODY], f"{wave}-{start}")


def _delivery(feed: str, records: Sequence[Exposure], name: str) -> Delivery:
    return Delivery(
        nature=Nature.TRUE,
        name=f"{feed} {name}",
        source=SOURCES[feed],
        body=json.dumps(_WRITTEN[feed](records)).encode(),
        delivery_id=f"msg_{feed}_{name}",
    )


def _flood(breach: Breach) -> Delivery:
    """Return one body that names hundreds of accounts, and that is not signed with the feed's secret."""
    named = [breach.exposures[number % len(breach.exposures)] for number in range(FLOOD)]
    return Delivery(
        nature=Nature.FORGED,
        name="a flood that nobody signed",
        source=SOURCES[SPYCLOUD_FEED],
        body=json.dumps(_spycloud(named)).encode(),
        delivery_id="msg_flood",
        with_secret=False,
    )


def _patchline(records: Sequence[Exposure]) -> dict[str, Any]:
    return {"events": [_own(each) for each in records]}


def _own(each: Exposure) -> dict[str, Any]:
    secret = {} if each.found is Found.OLD_LIST else {"secret": each.secret}
    return {
        "type": "exposure.found",
        "id": each.document,
        "timestamp": _moment(each.exposed_at),
        "data": {
            "login": each.login,
            "document": each.document,
            "breach": each.breach,
            "origin": {Found.STOLEN: "stealer_log", Found.LEAKED: "breach", Found.OLD_LIST: "combolist"}[each.found],
            "form": "none" if each.found is Found.OLD_LIST else "plaintext",
            "exposed_at": _moment(each.exposed_at),
            "note": f"seen beside {each.secret}",
            **secret,
        },
    }


def _spycloud(records: Sequence[Exposure]) -> dict[str, Any]:
    """Return records with the field names of the vendor's own integration tests."""
    return {"cursor": "", "hits": len(records), "results": [_record(each) for each in records]}


def _record(each: Exposure) -> dict[str, Any]:
    record = {
        "document_id": each.document,
        "source_id": sum(map(ord, each.breach)),
        "spycloud_publish_date": _moment(each.exposed_at),
        "severity": {Found.STOLEN: 25, Found.LEAKED: 20, Found.OLD_LIST: 5}[each.found],
        "email": each.login,
        "email_domain": each.login.rpartition("@")[2],
        "target_url": f"https://ana:{each.secret}@portal.example/login",
        "ip_addresses": ["192.0.2.7"],
    }
    if each.found is Found.OLD_LIST:
        return record
    record |= {"password": each.secret, "password_plaintext": each.secret, "password_type": "plaintext"}
    if each.found is Found.STOLEN:
        stolen = {"infected_machine_id": each.document, "infected_time": _moment(each.exposed_at)}
        record |= stolen | {"user_hostname": "HOME-PC", "infected_path": f"C:\\{each.secret}.exe"}
    return record


def _recorded_future(records: Sequence[Exposure]) -> dict[str, Any]:
    """Return the envelope of the vendor's identity look-up."""
    return {"identities": [_identity(each) for each in records], "count": len(records)}


def _identity(each: Exposure) -> dict[str, Any]:
    credential: dict[str, Any] = {
        "subject": each.login,
        "dumps": [{"name": each.breach}],
        "first_downloaded": _moment(each.exposed_at),
        "latest_downloaded": _moment(each.exposed_at),
        "authorization_service": {"url": "https://portal.example/login", "domain": "portal.example"},
    }
    if each.found is not Found.OLD_LIST:
        credential["exposed_secret"] = {
            "type": "clear",
            "effectively_clear": True,
            "clear_text": each.secret,
            "hashes": [{"algorithm": "SHA1", "hash": hashlib.sha1(each.secret.encode()).hexdigest()}],  # noqa: S324
            "details": {"properties": ["Letter", "Number"], "clear_text_hint": each.secret[:2]},
        }
    if each.found is Found.STOLEN:
        credential["compromise"] = {"exfiltration_date": _moment(each.exposed_at)}
    return {"identity": {"subjects": [each.login]}, "credentials": [credential]}


def _moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


_WRITTEN: Final = {
    PATCHLINE_FEED: _patchline,
    SPYCLOUD_FEED: _spycloud,
    RECORDED_FUTURE_FEED: _recorded_future,
}
