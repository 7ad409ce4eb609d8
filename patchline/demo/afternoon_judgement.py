"""Compares what came of the breach with what must: who was reset, who never, once each, and no secret shown. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from patchline.demo.afternoon import Afternoon, to_owners
from patchline.demo.check import Check, compared, some, with_wrong
from patchline.demo.tracker import Issue
from simulators.breach import Fate, Role
from simulators.deliveries import Nature

TO_BE_RESET: Final = frozenset({Fate.RESET, Fate.APPROVED})
DECISION: Final[Mapping[Fate, str]] = {
    Fate.RESET: "reset",
    Fate.APPROVED: "reset",
    Fate.WAITING: "ask",
    Fate.TURNED_DOWN: "notify",
    Fate.NEVER: "refuse",
    Fate.NOTIFIED: "notify",
    Fate.REMEDIATED: "remediated",
    Fate.FOREIGN: "refuse",
}
TOLD: Final = frozenset({Fate.RESET, Fate.APPROVED, Fate.NOTIFIED, Fate.NEVER, Fate.TURNED_DOWN})
"""Of whom the owner is told by now; of those who wait for people, once that is decided."""

STORY: Final = ("pl-exposure-", "pl-exposure_foreign-")
OF_THE_AFTERNOON: Final = ("pl-exposure", "pl-breaker-", "pl-hygiene-")


def judged(after: Afternoon, issues: Sequence[Issue]) -> list[Check]:
    """Return every comparison, in the order in which an exposure travels."""
    own = [issue for issue in issues if issue.key.startswith(STORY)]
    return [
        _answered(after),
        _cases(after),
        _appended(after),
        _resets(after),
        _untouched(after),
        _sessions(after),
        _tickets(after, own),
        _told(after),
        _secrets(after, issues),
    ]


def is_of_the_afternoon(issue: Issue) -> bool:
    """Return whether a ticket is about credentials, and so none of the day's."""
    return issue.key.startswith(OF_THE_AFTERNOON)


def _answered(after: Afternoon) -> Check:
    wrong = [
        f"{each.delivery.name}: answered {each.status}"
        for each in after.sent
        if each.status != (401 if each.delivery.nature is Nature.FORGED else 202)
    ]
    return Check(
        name="exposures: deliveries answered as they should be, the forged flood with 401",
        expected=len(after.sent),
        found=len(after.sent) - len(wrong),
        wrong=len(wrong),
        examples=some(wrong),
    )


def _cases(after: Afternoon) -> Check:
    expected = Counter(after.breach.fates.keys())
    found = Counter(each["login"] for each in after.cases)
    check = compared("cases, one for each exposed account", expected, found, str)
    wrong = [
        f"{each['login']}: {each['decision']} ({each['why']}), should be {DECISION[fate]}: {fate}"
        for each in after.cases
        if (fate := after.breach.fates.get(each["login"])) is not None and each["decision"] != DECISION[fate]
    ]
    return with_wrong(check, [*wrong, *([after.late] if after.late else [])])


def _appended(after: Afternoon) -> Check:
    expected = Counter(each.login for each in after.breach.exposures)
    found = Counter({each["login"]: int(each["exposures"]) for each in after.cases})
    return compared("exposures that belong to a case", expected, found, str)


def _resets(after: Afternoon) -> Check:
    expected = Counter({login: 1 for login, fate in after.breach.fates.items() if fate in TO_BE_RESET})
    return compared("passwords made invalid, as the directories tell", expected, _done(after, "password"), str)


def _untouched(after: Afternoon) -> Check:
    """Nobody of whom no feed spoke, and nobody whom a machine must not touch, was touched at all."""
    guarded = {each.login for each in after.breach.people if each.role in {Role.BREAK_GLASS, Role.SERVICE}}
    touched = {each.login for each in after.deeds}
    wrong = sorted(touched & guarded) + sorted(touched - after.breach.fates.keys())
    return Check(
        name="accounts that no machine may touch, or nobody named",
        expected=0,
        found=len(wrong),
        wrong=len(wrong),
        examples=some(wrong),
    )


def _sessions(after: Afternoon) -> Check:
    """Ending sessions twice harms nobody: what counts is that none is left out."""
    expected = Counter({login: 1 for login, fate in after.breach.fates.items() if fate in TO_BE_RESET})
    found = Counter(dict.fromkeys(_done(after, "sessions"), 1))
    return compared("accounts whose sessions were ended", expected, found, str)


def _done(after: Afternoon, what: str) -> Counter[str]:
    return Counter(each.login for each in after.deeds if each.what == what)


def _tickets(after: Afternoon, issues: Sequence[Issue]) -> Check:
    expected = Counter(after.breach.fates.keys())
    found = Counter(login for issue in issues for login in expected if f"credential of {login} at" in issue.title)
    check = compared("tickets, one for each case", expected, found, str)
    closed = {each["login"] for each in after.cases if each["state"] == "closed"}
    wrong = [
        f"ticket {issue.number}, {issue.title}: {'open' if issue.is_open else 'resolved'}, and its case is not"
        for issue in issues
        for login in expected
        if f"credential of {login} at" in issue.title and issue.is_open == (login in closed)
    ]
    return with_wrong(check, wrong)


def _told(after: Afternoon) -> Check:
    """Owners are told once of each case, as far as it is decided: a mail that came twice has one Message-ID."""
    expected = Counter({login: 1 for login, fate in after.breach.fates.items() if fate in TOLD})
    texts = to_owners(after.notices)
    found = Counter(login for text in texts for login in after.breach.fates if login in text)
    waiting = {login for login, fate in after.breach.fates.items() if fate is Fate.WAITING}
    return compared("notices to owners", expected, Counter({k: v for k, v in found.items() if k not in waiting}), str)


def _secrets(after: Afternoon, issues: Iterable[Issue]) -> Check:
    """No planted secret is in a ticket, in a mail or in what the commands show; the topics have their own search."""
    shown = [*(note for issue in issues for note in issue.notes), *after.notices.values(), str(after.cases)]
    text = "\n".join([*shown, str(after.steps)])
    found = [secret for secret in after.breach.secrets if secret in text]
    return Check(
        name="planted secrets in tickets, mails and what commands show",
        expected=0,
        found=len(found),
        wrong=len(found),
        examples=some(f"one of {len(found)}" for _ in found[:1]),
    )


def minutes(rows: Iterable[Mapping[str, Any]], step: str) -> str:
    """Return when a step of a case was done, as its row tells; empty: not yet."""
    return next((str(row["done_at"])[11:19] for row in rows if row["step"] == step and row["done_at"]), "")
