"""Microsoft Graph's change notifications: what of them is kept. They name a resource and no login. Pure.

Source: reference "Graph change notifications": id, subscription, change and resource; everything else is read from the
API by its id. `clientState` is the source's secret and is not kept.
"""

from typing import Final

from services.gateway.exposures.rules_reduce import FeedRules, Place
from services.gateway.exposures.rules_shapes import Shape

RULES: Final = FeedRules(
    records=("value[]",),
    needs=("subscription",),
    kept={
        "id": Place(("id",), Shape.NAME),
        "subscription": Place(("subscriptionId",), Shape.NAME),
        "change": Place(("changeType",), Shape.WORD),
        "lifecycle": Place(("lifecycleEvent",), Shape.WORD),
        "resource": Place(("resource",), Shape.PATH),
        "resource_id": Place(("resourceData.id",), Shape.NAME),
        "organisation": Place(("tenantId", "organizationId"), Shape.NAME),
    },
    silent=("encryptedContent", "clientState"),
)
