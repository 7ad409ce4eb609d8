"""SpyCloud's breach records: what of them is kept. See docs/exposures/spycloud.md for what is unconfirmed. Pure.

Source: reference "Exposure feeds", record fields from the test data of the vendor's own integration. Which body a
webhook of theirs has is not documented: the API's envelope, a list and a single record are all read.
"""

from typing import Final

from services.gateway.exposures.rules_reduce import FeedRules, Place
from services.gateway.exposures.rules_shapes import Shape

RULES: Final = FeedRules(
    records=("results[]", "[]", ""),
    kept={
        "login": Place(("email", "username"), Shape.LOGIN),
        "organisation": Place((), Shape.NAME),
        "document": Place(("document_id",), Shape.NAME),
        "breach": Place(("source_id",), Shape.NAME),
        "form": Place(("password_type",), Shape.WORD),
        "severity": Place(("severity",), Shape.NUMBER),
        "published": Place(("spycloud_publish_date",), Shape.MOMENT),
        "exposed": Place(("infected_time",), Shape.MOMENT),
        "target": Place(("target_url", "target_domain"), Shape.HOST),
        "machine": Place(("infected_machine_id",), Shape.NAME),
        "device": Place(("user_hostname",), Shape.NAME),
    },
    secrets=("password_plaintext", "password"),
)
