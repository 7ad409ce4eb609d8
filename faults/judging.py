"""Compares what came of a storm with the ledger, and tells what is new since the last time."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from contracts import ids
from contracts.events.asset import AssetChanged
from contracts.events.obligation import ObligationStateChanged
from patchline.demo import run
from patchline.demo.check import Check, with_wrong
from patchline.demo.judgement import Found, judged
from patchline.demo.run import Stage
from patchline.demo.subscriber import Letter, Seen
from patchline.demo.tracker import Issue
from simulators.fleet import CLIENTS, SOURCES
from simulators.sender import Sent

_NAMES = frozenset(source.full_name for source in SOURCES)
_TENANTS = frozenset(ids.tenant_id(client.name) for client in CLIENTS)
_CLIENTS = frozenset(client.name for client in CLIENTS)

_IN_THE_END = frozenset({"sources known to be silent", "devices in the inventory", "obligations", "figures published"})
"""The comparisons that hold once the whole day was delivered."""

Also = Callable[[Seen, Sequence[Issue]], Iterable[Check]]
"""Compares something else, which the day's ledger does not know, in the same topics and tracker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is not as it should be, and was not told before. `lines` are for people."""

    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class Judge:
    """Judges one world again and again. `also` compares what stands in no day's ledger.

    Until `is_day_over` the ledger, which knows the whole day, does not say how far each device is.
    """

    also: list[Also] = field(default_factory=list)
    is_day_over: bool = False
    _told: Counter[str] = field(default_factory=Counter)

    async def judged(self, stage: Stage, others: Sequence[Sent], waiting: Sequence[str]) -> Judgement:
        """Return what is new since the last judgement.

        A delivery of `others` that was never accepted counts as wrong, and so does what is still `waiting`.
        """
        came = await run.outcome(stage)
        found = came.found
        checks = [
            check
            for check in judged(came.ledger, of_the_day(found))
            if self.is_day_over or check.name not in _IN_THE_END
        ]
        checks += [check for also in self.also for check in also(found.seen, found.issues)]
        refused = [f"never accepted: {each.delivery.name}, {each.status}" for each in others if not each.is_accepted]
        checks.append(with_wrong(Check(name="other deliveries", expected=len(others), found=len(others)), refused))
        counts = Counter({
            "lost": sum(check.lost for check in checks),
            "doubled": sum(check.doubled for check in checks),
            "wrong": sum(check.wrong for check in checks),
        })  # fmt: skip
        new, self._told = counts - self._told, counts
        lines = [f"{check.name}: {example}" for check in checks if not check.is_good for example in check.examples]
        lines += [f"not settled: {each}" for each in waiting]
        return Judgement(
            lost=new["lost"], doubled=new["doubled"], wrong=new["wrong"] + len(waiting), lines=tuple(lines)
        )


def of_the_day(found: Found) -> Found:
    """Return what belongs to the simulated day: its sources and clients, and nothing of any other load."""
    seen = found.seen
    own = replace(
        seen,
        webhooks=Counter({key: count for key, count in seen.webhooks.items() if key[0] in _NAMES}),
        events=[each for each in seen.events if each.source in _NAMES],
        assets={
            key: each
            for key, each in seen.assets.items()
            if not isinstance(asset := each.data, AssetChanged) or asset.source in _NAMES
        },
        obligations={
            key: each
            for key, each in seen.obligations.items()
            if isinstance(told := each.data, ObligationStateChanged) and told.label.source in _NAMES
        },
        figures={key: each for key, each in seen.figures.items() if each.tenant in _TENANTS},
        letters=once(seen.letters, found.sent),
    )
    stored = replace(found.stored, parked=[each for each in found.stored.parked if each.source in _NAMES])
    issues = [issue for issue in found.issues if issue.client in _CLIENTS]
    sent = [each for each in found.sent if each.delivery.source.full_name in _NAMES or not each.is_accepted]
    return replace(found, seen=own, stored=stored, issues=issues, sent=sent)


def once(letters: Iterable[Letter], sent: Iterable[Sent]) -> list[Letter]:
    """Return the day's dead letters, those of one delivery once if it was sent so often.

    What cannot be understood has no id but that of its receipt: a sender that tries again after a lost answer makes
    another dead letter of it, rightly. One receipt may be read twice: spooled after an answer of Kafka that came too
    late, or read again from an older watermark.
    """
    tries: Counter[tuple[str, bytes]] = Counter()
    for each in sent:
        tries[each.delivery.source.full_name, each.delivery.body] += each.attempts
    kept: list[Letter] = []
    met: Counter[tuple[str, bytes]] = Counter()
    for letter in {(each.topic, each.raw_id, each.body): each for each in letters}.values():
        key = letter.source, letter.body
        met[key] += 1
        if letter.source in _NAMES and (met[key] == 1 or met[key] > tries[key]):
            kept.append(letter)
    return kept
