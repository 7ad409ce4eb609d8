"""Records of exposure feeds as the door left them, by role: what all feeds have in common becomes an event here.

What a word of a feed means, each feed's own file says. See `services.gateway.exposures` for what was taken out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contracts import ids
from contracts.events.event import Method
from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from contracts.ids import EventId
from contracts.raw import RawDelivery
from services.gateway.vendors import fields
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import SaidOfExposure, Translation

Moment = Callable[[object, str], datetime | None]

WEAK: Final = frozenset(
    {"md5", "sha1", "sha-1", "sha256", "sha-256", "sha512", "sha-512", "ntlm", "lm", "mysql323", "mysql41", "crc32"}
)
"""Hashes made to be fast: without a salt a password behind one is found in hours. Source: NIST SP 800-63B, 5.1.1.2."""

STRONG: Final = frozenset(
    {
        "bcrypt",
        "blowfish",
        "scrypt",
        "argon2",
        "argon2i",
        "argon2id",
        "pbkdf2",
        "pbkdf2_sha256",
        "phpass",
        "sha512crypt",
    }
)
"""Hashes made to be slow."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a record says, in our words."""

    form: SecretForm
    origin: ExposureOrigin
    doubtful: bool = False


Judge = Callable[[JsonObject], Words]
"""What a feed's own words mean. Raises `Unreadable` for one that cannot be."""


@dataclass(frozen=True, slots=True)
class Place:
    """A record of a delivery: where it stands, and how many logins the delivery names in all."""

    delivery: RawDelivery
    index: int
    named: int


def records_in(delivery: RawDelivery) -> list[JsonObject]:
    """Return the records that the door kept of a delivery.

    Raises:
        Unreadable: it is no such body.
    """
    records = fields.object_in(delivery.body).get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise Unreadable("records: not what the door writes")
    return records


def named_in(records: "list[JsonObject]") -> int:
    """Return how many different logins records name, or a poll of which they are a part; at least one."""
    parts = [int(each["named"]) for each in records if isinstance(each.get("named"), int)]
    return max(1, len({str(each.get("login")) for each in records}), *parts)


def translated(delivery: RawDelivery, judge: Judge) -> Translation:
    """Return what the records of a delivery say; each stands alone. Never raises."""
    said: list[SaidOfExposure] = []
    problems: list[str] = []
    try:
        records = records_in(delivery)
        named = named_in(records)
    except Unreadable as error:
        return Translation(problems=(str(error),))
    for index, record in enumerate(records):
        try:
            said.append(said_of(Place(delivery, index, named), record, judge(record)))
        except Unreadable as error:
            problems.append(f"records.{index}.{error}")
    return Translation(exposures=said, problems=problems)


def said_of(place: Place, record: JsonObject, words: Words) -> SaidOfExposure:
    """Return what one record says, under the feed's own number for it.

    Raises:
        Unreadable: a field of it is not what it should be.
    """
    event = found(place, record, words, loose_moment)
    id_ = _id(place.delivery, place.index, record, event)
    return SaidOfExposure(id_, _time(place.delivery, event), event)


def found(place: Place, record: JsonObject, words: Words, moment: Moment) -> ExposureFound:
    """Return the event of one record.

    Raises:
        Unreadable: a field of it is not what it should be.
    """
    login = fields.name(record.get("login"), "login")
    _, at, domain = login.rpartition("@")
    return ExposureFound(
        feed=place.delivery.vendor,
        method=Method(place.delivery.channel),
        login=login,
        domain=domain if at else None,
        user=fields.optional_name(record.get("user"), "user"),
        organisation=fields.optional_name(record.get("organisation"), "organisation"),
        document=fields.optional_name(record.get("document"), "document"),
        breach=fields.optional_name(record.get("breach"), "breach"),
        origin=words.origin,
        form=words.form,
        fingerprint=fingerprint_in(record),
        exposed_at=moment(record.get("exposed"), "exposed"),
        published_at=moment(record.get("published"), "published"),
        target=fields.optional_name(record.get("target"), "target"),
        device=fields.optional_name(record.get("device"), "device"),
        doubtful=words.doubtful,
        named=place.named,
    )


def fingerprint_in(record: Mapping[str, Any]) -> str | None:
    """Return the fingerprint of the secret that stood in a record; `None`: there was none."""
    secret = record.get("secret")
    return fields.name(secret.get("fingerprint"), "secret.fingerprint") if isinstance(secret, dict) else None


def secret_field(record: Mapping[str, Any]) -> str | None:
    """Return the field in which a record's secret stood; `None`: it had none."""
    secret = record.get("secret")
    return fields.name(secret.get("field"), "secret.field") if isinstance(secret, dict) else None


def form_of(algorithm: object, *, has_secret: bool) -> SecretForm:
    """Return the form of a secret that its feed calls by `algorithm`."""
    word = str(algorithm or "").lower()
    if not has_secret:
        return SecretForm.NONE
    if word in {"plaintext", "plain", "clear", "cleartext"}:
        return SecretForm.PLAINTEXT
    if word in WEAK:
        return SecretForm.CRACKABLE
    return SecretForm.HASHED if word in STRONG else SecretForm.UNKNOWN


def loose_moment(value: object, path: str) -> datetime | None:
    """Return a moment as feeds write them, a date alone among them: in UTC, if they do not say. `None`: it is none.

    An exposure is not given up for a date that cannot be read: it counts as one of which no date is known.
    """
    try:
        return fields.any_moment(value, path)
    except Unreadable:
        pass
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return at.astimezone(UTC) if fields.is_possible(at) else None


def _time(delivery: RawDelivery, event: ExposureFound) -> datetime:
    return event.published_at or event.exposed_at or delivery.received


def _id(delivery: RawDelivery, index: int, record: JsonObject, event: ExposureFound) -> EventId:
    """Return the feed's own number of the record, for this login; else what is natural to it; else its place."""
    if event.document is not None:
        return ids.event_id_of_vendor(delivery.source, f"{event.document}/{event.login}")
    if (at := event.published_at or event.exposed_at) is not None:
        natural = (event.login, event.fingerprint or "", event.breach or "", str(record.get("target", "")))
        return ids.event_id_of_fields(delivery.source, event.TYPE, at, *natural)
    if delivery.delivery is not None:
        return ids.event_id_of_vendor(delivery.source, f"webhook-id/{delivery.delivery}/{index}")
    return ids.event_id_of_raw(delivery.raw_id, index)
