"""What Microsoft Graph says when asked: risk detections, and users in alerts laid out alike: what is kept. Pure.

Source: Microsoft Graph v1.0, riskDetection. `additionalInfo` is JSON in a text and tells about sign-ins: not kept.
`tokenIssuerType` is a word and no token.
"""

from typing import Final

from services.gateway.exposures.rules_reduce import FeedRules, Place
from services.gateway.exposures.rules_shapes import Shape

RULES: Final = FeedRules(
    records=("value[]",),
    kept={
        "login": Place(("userPrincipalName",), Shape.LOGIN),
        "user": Place(("userId",), Shape.NAME),
        "document": Place(("id",), Shape.NAME),
        "kind": Place(("riskEventType",), Shape.WORD),
        "state": Place(("riskState",), Shape.WORD),
        "level": Place(("riskLevel",), Shape.WORD),
        "published": Place(("detectedDateTime",), Shape.MOMENT),
    },
    silent=("additionalInfo", "tokenIssuerType"),
    around={
        "organisation": Place(("organisation",), Shape.NAME),
        "named": Place(("named",), Shape.NUMBER),
    },
)
