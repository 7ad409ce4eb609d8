"""How a class of machines is patched, as steps: held back, through the rings, sent, installed, restarted. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo

from contracts.events.event import Tier
from services.compliance.clocks.durations import exact, term
from services.compliance.policies.document import PolicyDocument
from services.compliance.policies.parts import Immediately, ManualApproval, RebootRule, Scheduled, UserPrompted
from services.compliance.policies.rules_path import InWindow, Span, Step, Wait, in_window
from services.compliance.policy import Term

Spans = Mapping[str, Sequence[Span]]
"""When each window of a policy is open, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """The steps of one tier. `rings` lead from the first ring to the last; `waits_for` names who must act, and how.

    Who acts does so at once as far as the steps know: nothing was agreed about how long it may take.
    """

    hold: tuple[Step, ...]
    rings: tuple[Step, ...]
    send: tuple[Step, ...]
    restart: tuple[Step, ...]
    restart_waits_for: tuple[str, ...] = ()
    rings_wait_for: tuple[str, ...] = ()


def practice(
    document: PolicyDocument, tier: Tier, spans: Spans, zone: tzinfo, *, install: timedelta = timedelta(0)
) -> Practice:
    """Return how `tier` is patched. `install`: how long an installation takes, once its package was sent."""
    send = _sending(document, tier, spans)
    installed = (Wait("installed", install, zone),) if install else ()
    restart, waits_for = _restarting(document.reboot.get(tier), tier, spans, zone)
    rings: list[Step] = []
    promotions: list[str] = []
    passed_by = document.rings.stages[:-1] if tier in document.rings.tiers else ()
    for stage in passed_by:
        rings.append(_named(send, f"sent to {stage.name}"))
        if stage.soak is not None:
            rings.append(Wait(f"soaked in {stage.name}", length(stage.soak), zone))
        if stage.promote_by is not None:
            promotions.append(f"{stage.promote_by} lets it on from {stage.name}")
    held = document.rings.hold if tier in document.rings.tiers else None
    return Practice(
        hold=(Wait("held back until", length(held), zone),) if held else (),
        rings=tuple(rings),
        send=(send,),
        restart=(*installed, *restart),
        restart_waits_for=waits_for,
        rings_wait_for=tuple(promotions),
    )


def length(text: str) -> Term | timedelta:
    """Return an ISO 8601 duration as exact time or as days and months of the calendar.

    Raises:
        MalformedDuration: it is none.
    """
    return exact(text) if text.startswith("PT") else term(text)


def _sending(document: PolicyDocument, tier: Tier, spans: Spans) -> Step:
    rule = document.deployment.get(tier)
    if rule is None:
        return in_window(f"sent: no deployment rule names {tier}, so never", ())
    if rule.any_time:
        return Wait("sent", timedelta(0), UTC)
    if not rule.windows:
        return in_window(f"sent: the deployment rule of {tier} has no window, so never", ())
    return in_window("sent", _of(rule.windows, spans))


def _named(step: Step, what: str) -> Step:
    match step:
        case InWindow(starts=starts, ends=ends) if starts:
            return InWindow(what, starts, ends)
        case Wait(term=kept, zone=zone):
            return Wait(what, kept, zone)
        case _:
            return step


def _restarting(
    rule: RebootRule | None, tier: Tier, spans: Spans, zone: tzinfo
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    match rule:
        case None:
            return (in_window(f"restarted: no reboot rule names {tier}, so never", ()),), ()
        case Scheduled(windows=names, notice=notice):
            told = (Wait("users told", length(notice), zone),) if notice else ()
            return (*told, in_window("restarted", _of(names, spans))), ()
        case UserPrompted(deadline=deadline):
            return (Wait("restarted, put off to the deadline", length(deadline), zone),), ()
        case ManualApproval(by=by, answer_within=None):
            return (Wait("restarted", timedelta(0), zone),), (f"{by} approves the restart",)
        case ManualApproval(answer_within=str(answer)):
            return (Wait("restarted after approval", length(answer), zone),), ()
        case Immediately():
            return (Wait("restarted", timedelta(0), zone),), ()
        case _:
            raise TypeError(f"no steps for {type(rule).__name__}")


def _of(names: Iterable[str], spans: Spans) -> list[Span]:
    return [span for name in names for span in spans[name]]
