"""Recorded Future: what its identity records say. Source: reference "Exposure feeds", the Identity API's lookup."""

from contracts.events.exposure import ExposureOrigin, SecretForm
from contracts.raw import RawDelivery
from services.gateway.vendors import exposure_record
from services.gateway.vendors.exposure_record import Words
from services.gateway.vendors.fields import JsonObject
from services.gateway.vendors.translation import Translation


def translated(delivery: RawDelivery) -> Translation:
    """Return what the records of a delivery say. Never raises."""
    return exposure_record.translated(delivery, _words)


def _words(record: JsonObject) -> Words:
    has_secret = exposure_record.fingerprint_in(record) is not None or record.get("clear") is True
    form = exposure_record.form_of(record.get("form"), has_secret=has_secret)
    if form is not SecretForm.PLAINTEXT and record.get("clear") is True:
        form = SecretForm.CRACKABLE
    elif form is SecretForm.UNKNOWN:
        form = exposure_record.form_of(record.get("algorithm"), has_secret=has_secret)
    return Words(form, _origin(record))


def _origin(record: JsonObject) -> ExposureOrigin:
    if "exposed" in record:
        return ExposureOrigin.STEALER_LOG
    return ExposureOrigin.BREACH if "breach" in record else ExposureOrigin.UNKNOWN
