"""Where vendors' APIs are, by the name that a vendor has for a region or a platform. Pure."""

import re
from collections.abc import Mapping
from typing import Final

ADDRESS: Final[Mapping[str, str]] = {
    "datto": "https://{}-api.centrastage.net",
    "ninjaone": "https://{}.ninjarmm.com",
}
"""Datto calls it platform (pinotage, merlot, concord and others), NinjaOne region (app, us2, eu, oc, ca)."""

CLIENT_ID_OF: Final[Mapping[str, str]] = {"hibp": "hibp"}
"""Vendors whose secret says who asks: no other id is needed."""

_NAME: Final = re.compile(r"[a-z0-9]{2,30}", re.IGNORECASE)


def api_url(vendor: str, told: str) -> str:
    """Return the address that a person means: one that is written out, or the region's or platform's name alone."""
    pattern = ADDRESS.get(vendor)
    return pattern.format(told.lower()) if pattern and _NAME.fullmatch(told) else told
