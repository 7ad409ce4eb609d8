"""Patchline's own format of exposures: what of it is kept. See docs/exposures/patchline.md. Pure."""

from typing import Final

from services.gateway.exposures.rules_reduce import FeedRules, Place
from services.gateway.exposures.rules_shapes import Shape

RULES: Final = FeedRules(
    records=("events[]", ""),
    needs=("type", "login"),
    kept={
        "type": Place(("type",), Shape.WORD),
        "id": Place(("id",), Shape.NAME),
        "timestamp": Place(("timestamp",), Shape.MOMENT),
        "login": Place(("data.login",), Shape.LOGIN),
        "user": Place(("data.user",), Shape.NAME),
        "organisation": Place(("data.organisation",), Shape.NAME),
        "document": Place(("data.document",), Shape.NAME),
        "breach": Place(("data.breach",), Shape.NAME),
        "origin": Place(("data.origin",), Shape.WORD),
        "form": Place(("data.form",), Shape.WORD),
        "exposed": Place(("data.exposed_at",), Shape.MOMENT),
        "published": Place(("data.published_at",), Shape.MOMENT),
        "target": Place(("data.target",), Shape.HOST),
        "device": Place(("data.device",), Shape.NAME),
        "doubtful": Place(("data.doubtful",), Shape.TRUTH),
    },
    secrets=("data.secret",),
    around={"timestamp": Place(("timestamp",), Shape.MOMENT)},
)
