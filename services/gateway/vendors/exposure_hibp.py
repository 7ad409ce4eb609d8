"""Have I Been Pwned: what our poller read, which laid the answers out in our own words. See docs/exposures/hibp.md."""

from contracts.events.exposure import ExposureOrigin, SecretForm
from contracts.raw import RawDelivery
from services.gateway.vendors import exposure_record
from services.gateway.vendors.exposure_record import Words
from services.gateway.vendors.fields import JsonObject, Unreadable
from services.gateway.vendors.translation import Translation


def translated(delivery: RawDelivery) -> Translation:
    """Return what the records of a reading say. Never raises."""
    return exposure_record.translated(delivery, _words)


def _words(record: JsonObject) -> Words:
    try:
        return Words(
            SecretForm(record.get("form", SecretForm.UNKNOWN)),
            ExposureOrigin(record.get("origin", ExposureOrigin.UNKNOWN)),
            doubtful=record.get("doubtful") is True,
        )
    except ValueError as error:
        raise Unreadable("form, origin: not what the poller writes") from error
