"""Every path of the doors, once: what it takes, how the sender is believed, what is answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from contracts.approval import Claims
from services.gateway.door import agent_answers, answers, approvals, feeds
from services.gateway.door.agents import INVENTORIES
from services.gateway.door.answers import Answer
from services.gateway.door.openapi_bodies import APPROVAL_FORM, EXPOSURES, INVENTORY, OWN_FORMAT, TICKET_HINT
from services.gateway.door.uploads import WEBHOOKS, Uploads

Part = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One path and one method of a door. `proofs` are the ways to be believed, by name, any of which is enough."""

    path: str
    operation: str
    summary: str
    description: str
    tag: str
    answers: Sequence[Answer]
    method: str = "post"
    proofs: Sequence[str] = ()
    body: Part | None = None


def _delivery_answers(uploads: Uploads) -> tuple[Answer, ...]:
    return (
        answers.NOT_BELIEVED,
        answers.TOO_SLOW,
        answers.too_large(uploads.largest_bytes),
        answers.NOT_DURABLE,
    )


_CLAIMS: Final = Claims(
    case="9a1b6f0e", approver_digest="", expires_at=datetime(2026, 11, 22, 14, tzinfo=UTC), nonce=""
)
_ACCEPTED: Final = answers.accepted("01931f00-0000-7000-8000-000000000000")
_WEBHOOK: Final = (_ACCEPTED, *_delivery_answers(WEBHOOKS))
_RMM: Final = ("standardWebhooks", "staticHeader")
_PSA: Final = ("hmacSha256", "connectwiseCallback", *_RMM)

DOORS: Final = (
    Route(
        path="/webhooks/rmm/{vendor}/{source}",
        operation="deliverRmm",
        tag="webhooks",
        summary="Deliver what an RMM says",
        description="Any body is taken and kept; what it means is found out afterwards. A vendor without an adapter of "
        "its own is read in Patchline's own format. 202 means durable: in Kafka with acks=all, or in the spool.",
        answers=_WEBHOOK,
        proofs=_RMM,
        body=OWN_FORMAT,
    ),
    Route(
        path="/webhooks/rmm/{vendor}/{source}/bulk",
        operation="deliverRmmBulk",
        tag="webhooks",
        summary="Deliver what can wait: a resync, a first import",
        description="As above, but what is live goes before it.",
        answers=_WEBHOOK,
        proofs=_RMM,
        body=OWN_FORMAT,
    ),
    Route(
        path="/webhooks/psa/{vendor}/{source}",
        operation="deliverPsa",
        tag="webhooks",
        summary="Deliver what a PSA says about a ticket",
        description="A hint: the ticket is read again before anything follows from it.",
        answers=_WEBHOOK,
        proofs=_PSA,
        body=TICKET_HINT,
    ),
    Route(
        path="/webhooks/exposure/{vendor}/{source}",
        operation="deliverExposure",
        tag="webhooks",
        summary="Deliver what a feed of exposed credentials found",
        description="What is secret in it is taken out before anything is stored, and a keyed fingerprint left in its "
        "place; what cannot be read is sealed to a key that is not here. Microsoft Graph's question with "
        "validationToken is answered with 200 and the token, and nothing is kept of it; its notifications are believed "
        "by the clientState in each of them.",
        answers=(feeds.handshake("token"), *_WEBHOOK),
        proofs=_RMM,
        body=EXPOSURES,
    ),
    Route(
        path="/approvals/{token}",
        operation="showApproval",
        method="get",
        tag="approvals",
        summary="Show what a link of a mail asks",
        description="A page with two buttons. It changes nothing, since programs follow links too.",
        answers=(approvals.asking("token", _CLAIMS), approvals.NOT_VALID, approvals.NOT_SET_UP),
    ),
    Route(
        path="/approvals",
        operation="decide",
        tag="approvals",
        summary="Approve or refuse what a link asks",
        description="The form of the page. What goes on is the token's digest; whether it counts is decided there.",
        answers=(
            approvals.TAKEN,
            approvals.NOT_A_FORM,
            approvals.NOT_VALID,
            answers.TOO_SLOW,
            answers.too_large(approvals.FORMS.largest_bytes),
            approvals.NOT_SET_UP,
        ),
        body=APPROVAL_FORM,
    ),
    Route(
        path="/agents/{vendor}/{source}",
        operation="deliverInventory",
        tag="agents",
        summary="Speak the inventory protocol of GLPI's, FusionInventory's and OCS's agents",
        description="PROLOG and CONTACT are handshakes: answered, and forgotten. Everything else is kept, and answered "
        "in the agent's own form and packing once it is durable.",
        answers=(
            answers.answer(200, b"{}", b"application/json"),
            agent_answers.NOT_BELIEVED,
            *_delivery_answers(INVENTORIES)[1:],
        ),
        proofs=("agentPassword",),
        body=INVENTORY,
    ),
    Route(
        path="/agents/{vendor}/{source}",
        operation="askForTasks",
        method="get",
        tag="agents",
        summary="Ask for tasks other than an inventory: there are none",
        description="What some agents ask before they report.",
        answers=(agent_answers.NOTHING_TO_DO, agent_answers.NOT_BELIEVED),
        proofs=("agentPassword",),
    ),
)
