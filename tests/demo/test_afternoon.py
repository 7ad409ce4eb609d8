"""What is said of the afternoon with a breach: each thing that goes wrong is seen, and only that."""

import io
import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from patchline.demo import afternoon_report
from patchline.demo.afternoon import Afternoon, Deed, policy_of
from patchline.demo.afternoon_judgement import DECISION, TO_BE_RESET, TOLD, is_of_the_afternoon, judged
from patchline.demo.tracker import Issue
from services.credentials.guard.policy import GuardPolicy
from simulators.breach import DOMAINS, PRIVATE_DOMAINS, Fate, breach
from simulators.breach_wire import deliveries
from simulators.deliveries import Nature
from simulators.sender import Sent

BREACH = breach(seed=1)
VICTIM = BREACH.of(Fate.RESET)[0]
CLIENT_OF = {each.login: each.client.name for each in BREACH.exposures}


def case(login: str, **more: Any) -> dict[str, Any]:
    fate = BREACH.fates[login]
    exposures = sum(each.login == login for each in BREACH.exposures)
    closed = fate in {*TO_BE_RESET, Fate.REMEDIATED}
    row = {"id": login, "client": CLIENT_OF[login], "login": login, "kind": "person", "why": "for the test",
           "decision": DECISION[fate], "state": "closed" if closed else "open", "ticket": "7",
           "exposures": exposures, "waits_for": "two people"}  # fmt: skip
    return row | more


def issue(login: str, **more: Any) -> Issue:
    closed = BREACH.fates[login] in {*TO_BE_RESET, Fate.REMEDIATED}
    title = f"Exposed credential of {login} at {CLIENT_OF[login]}"
    made = Issue(number="7", key=f"pl-exposure-{login}-g1", title=title, client=CLIENT_OF[login],
                 is_open=not closed, devices=Counter(), notes=("Plain words.",))  # fmt: skip
    return replace(made, **more)


def good() -> Afternoon:
    after = Afternoon(breach=BREACH)
    after.sent = [Sent(each, 401 if each.nature is Nature.FORGED else 202, 1) for each in deliveries(BREACH)]
    after.cases = [case(login) for login in BREACH.fates]
    after.steps = {login: [{"step": "invalidated", "done_at": "2025-01-15T20:00:31Z"}] for login in BREACH.fates}
    resets = [login for login, fate in BREACH.fates.items() if fate in TO_BE_RESET]
    after.deeds = [Deed(what=what, login=login, at="now") for login in resets for what in ("password", "sessions")]
    owners = {login: f"owner@{PRIVATE_DOMAINS[CLIENT_OF[login]]}" for login in BREACH.fates}
    after.notices = {
        login: f"To: {owners[login]}\nSubject: x\n\nabout {login}."
        for login, fate in BREACH.fates.items()
        if fate in TOLD
    }
    return after


ISSUES = [issue(login) for login in BREACH.fates]


def wrongs(after: Afternoon, issues: list[Issue] | None = None) -> set[str]:
    return {check.name.split(",", 1)[0].split(":")[0] for check in judged(after, issues or ISSUES) if not check.is_good}


def test_a_good_afternoon_is_good() -> None:
    assert wrongs(good()) == set()


def test_a_forged_flood_that_was_let_in_is_seen() -> None:
    after = good()
    after.sent[0] = replace(after.sent[0], status=202)

    assert wrongs(after) == {"exposures"}


@pytest.mark.parametrize("more", [{"decision": "notify"}, {"decision": "refuse"}])
def test_a_wrong_decision_is_seen(more: dict[str, Any]) -> None:
    after = good()
    after.cases = [each | more if each["login"] == VICTIM else each for each in after.cases]

    assert wrongs(after) == {"cases"}


def test_an_account_that_was_reset_twice_and_one_that_never_was_are_seen() -> None:
    after = good()
    [first] = [each for each in after.deeds if each.login == VICTIM and each.what == "password"]
    twice, never = [*after.deeds, first], [each for each in after.deeds if each is not first]

    after.deeds = twice
    assert wrongs(after) == {"passwords made invalid"}
    after.deeds = never
    assert wrongs(after) == {"passwords made invalid"}


@pytest.mark.parametrize("login", [BREACH.of(Fate.NEVER)[0], f"second.admin@{next(iter(DOMAINS.values()))}"])
def test_a_touch_of_what_nobody_may_touch_is_seen(login: str) -> None:
    after = good()
    after.deeds.append(Deed(what="sessions", login=login, at="now"))

    assert "accounts that no machine may touch" in wrongs(after)


def test_a_second_mail_with_another_id_is_seen_and_the_same_mail_again_is_not() -> None:
    after = good()
    after.notices["another"] = after.notices[VICTIM]

    assert wrongs(after) == {"notices to owners"}


def test_a_ticket_that_stays_open_is_seen() -> None:
    assert wrongs(good(), [issue(each, is_open=True) for each in BREACH.fates]) == {"tickets"}


def test_a_planted_secret_in_a_ticket_is_seen() -> None:
    leaking = [issue(each, notes=(BREACH.secrets[0],)) for each in BREACH.fates]

    assert wrongs(good(), leaking) == {"planted secrets in tickets"}


def test_tickets_of_the_day_are_none_of_the_afternoons() -> None:
    assert [is_of_the_afternoon(issue(VICTIM, key=key)) for key in ("pl-breaker-x-g1", "pl-patch_failed-x-g1")] == [
        True,
        False,
    ]


@pytest.mark.parametrize("client", DOMAINS)
def test_the_clients_policies_are_policies(client: str) -> None:
    assert GuardPolicy.model_validate(policy_of(client, DOMAINS[client])).mode == "live"


def test_the_report_names_who_waits_and_for_whom() -> None:
    shown = io.StringIO()
    afternoon_report.show(Console(file=shown, width=200), good())

    assert "waits for people" in shown.getvalue()
    assert "two people" in shown.getvalue()
    assert json.dumps(afternoon_report.written(good()), default=str)
