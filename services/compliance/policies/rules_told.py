"""The event in which a change of the policy in force is told. Pure."""

from contracts import ids
from contracts.envelope import Envelope
from contracts.events.policy import PolicyApplied
from services.compliance.policies.rules_turns import Turn
from services.compliance.rules_cause import SOURCE


def policy_applied(turn: Turn) -> Envelope:
    """Return the news that another policy of a client is in force; said again it is the same event."""
    now = turn.after
    after = now.version if now else None
    document = after.document if after else None
    empty = sorted(name for name, each in document.windows.items() if each.is_empty) if document else []
    return Envelope(
        id=ids.event_id_of_fields(
            SOURCE,
            PolicyApplied.TYPE,
            turn.at,
            str(turn.tenant_id),
            f"{after.version} {after.digest}" if after else "none",
        ),
        source=SOURCE,
        subject=str(turn.tenant_id),
        time=turn.at,
        received=turn.at,
        tenant=turn.tenant_id,
        data=PolicyApplied(
            client=turn.client,
            version=after.version if after else None,
            policy=after.policy_id if after else None,
            digest=after.digest if after else None,
            before=turn.before.version if turn.before else None,
            valid_from=document.valid_from if document else None,
            valid_until=document.valid_until if document else None,
            recorded_at=after.recorded_at if after else None,
            recorded_by=after.recorded_by if after else None,
            reason=after.reason if after else "",
            regimes=tuple(entry.preset for entry in document.regimes) if document else (),
            feasible=now.feasible if now else None,
            accepted=now.accepted if now else None,
            empty_windows=tuple(empty),
        ),
    )
