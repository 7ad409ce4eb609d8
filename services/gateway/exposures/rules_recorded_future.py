"""Recorded Future's identity records: what of them is kept. See docs/exposures/recorded-future.md. Pure.

Source: reference "Exposure feeds", the lookup answer of the Identity API. Which body a webhook has is not documented:
the lookup's envelope, its credentials alone and a single credential are all read.
"""

from typing import Final

from services.gateway.exposures.rules_reduce import FeedRules, Place
from services.gateway.exposures.rules_shapes import Shape

RULES: Final = FeedRules(
    records=("identities[].credentials[]", "credentials[]", "[].credentials[]", "[]", ""),
    kept={
        "login": Place(("subject",), Shape.LOGIN),
        "organisation": Place((), Shape.NAME),
        "breach": Place(("dumps[].name",), Shape.NAME),
        "form": Place(("exposed_secret.type",), Shape.WORD),
        "clear": Place(("exposed_secret.effectively_clear",), Shape.TRUTH),
        "algorithm": Place(("exposed_secret.hashes[].algorithm",), Shape.WORD),
        "published": Place(("latest_downloaded", "first_downloaded"), Shape.MOMENT),
        "exposed": Place(("compromise.exfiltration_date",), Shape.MOMENT),
        "target": Place(("authorization_service.domain", "authorization_service.url"), Shape.HOST),
    },
    secrets=("exposed_secret.clear_text", "exposed_secret.hashes[].hash"),
    silent=("exposed_secret.details", "exposed_secret.hashes", "authorization_service"),
)
