"""Have I Been Pwned's answers, as our poller lays them out: what of them is kept. See docs/exposures/hibp.md. Pure.

The API tells names of breaches and of websites, never a secret. What is kept is still the named fields alone.
"""

from typing import Final

from services.gateway.exposures.rules_reduce import FeedRules, Place
from services.gateway.exposures.rules_shapes import Shape

RULES: Final = FeedRules(
    records=("value[]",),
    kept={
        "login": Place(("login",), Shape.LOGIN),
        "document": Place(("document",), Shape.NAME),
        "breach": Place(("breach",), Shape.NAME),
        "origin": Place(("origin",), Shape.WORD),
        "form": Place(("form",), Shape.WORD),
        "exposed": Place(("exposed",), Shape.MOMENT),
        "published": Place(("published",), Shape.MOMENT),
        "target": Place(("target",), Shape.HOST),
        "doubtful": Place(("doubtful",), Shape.TRUTH),
    },
    around={"named": Place(("named",), Shape.NUMBER)},
)
