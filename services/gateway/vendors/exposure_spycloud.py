"""SpyCloud: what its records say. Source: reference "Exposure feeds"; what the severities mean is unconfirmed.

A record is of an infected machine if it says when that was, or which; severity 25 is said to mean the same.
"""

from typing import Final

from contracts.events.exposure import ExposureOrigin, SecretForm
from contracts.raw import RawDelivery
from services.gateway.vendors import exposure_record
from services.gateway.vendors.exposure_record import Words
from services.gateway.vendors.fields import JsonObject
from services.gateway.vendors.translation import Translation

MALWARE: Final = 25
_PLAINTEXT: Final = "password_plaintext"


def translated(delivery: RawDelivery) -> Translation:
    """Return what the records of a delivery say. Never raises."""
    return exposure_record.translated(delivery, _words)


def _words(record: JsonObject) -> Words:
    field = exposure_record.secret_field(record)
    form = exposure_record.form_of(record.get("form"), has_secret=field is not None)
    return Words(SecretForm.PLAINTEXT if field == _PLAINTEXT else form, _origin(record))


def _origin(record: JsonObject) -> ExposureOrigin:
    severity = record.get("severity")
    is_malware = isinstance(severity, int | float) and severity >= MALWARE
    if is_malware or "machine" in record or "exposed" in record:
        return ExposureOrigin.STEALER_LOG
    return ExposureOrigin.UNKNOWN if severity is None else ExposureOrigin.BREACH
