"""The table, row by row: what is done about whom, on which evidence, with which policy and breaker."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events.credential import AccountKind, Decision
from services.credentials.cases.records import Evidence, Rule, Strength, Whose
from services.credentials.cases.rules_decision import NEVER, TABLE, Situation, decided
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Authority, Identity
from tests.builders import HOUR, NOON
from tests.credentials.directories import account, identity

LOGIN = "ann@acme.example"
REAL = Evidence(strength=Strength.REAL, at=NOON, session=False)
WEAK = replace(REAL, strength=Strength.WEAK)
ALLOWS = GuardPolicy(mode="live", reset_persons=True)


def ann(**changes: Any) -> Identity:
    """Return a person with a way back in; `changes` are of her account."""
    return identity(account("ann", LOGIN, **({"recovery": True, "mfa": True} | changes)))


def situation(who: Identity | None = None, **changes: Any) -> Situation:
    """Return a person whose password was found in use, at a client that allows resets."""
    whose = Whose(login=LOGIN, identity=who or ann(), domains=frozenset({"acme.example"}))
    plain = Situation(whose=whose, evidence=REAL, policy=ALLOWS)
    return replace(plain, **changes)


def nobody(login: str = LOGIN, *, domains: frozenset[str] = frozenset({"acme.example"}), **changes: Any) -> Whose:
    return Whose(login=login, identity=None, domains=domains, **changes)


def kind(of: AccountKind, **changes: Any) -> Identity:
    return replace(ann(), kind=of, kind_why="a test says so", **changes)


CASES = [
    pytest.param(situation(), Decision.RESET, Rule.ALLOWED, id="a person, a usable secret, the client allows it"),
    pytest.param(
        situation(whose=nobody("ann@elsewhere.example")), Decision.REFUSE, Rule.FOREIGN, id="another company's domain"
    ),
    pytest.param(
        situation(whose=nobody("ann@elsewhere.example", domains=frozenset())),
        Decision.NOTIFY,
        Rule.NOBODY,
        id="no directory has proven a domain",
    ),
    pytest.param(situation(whose=nobody()), Decision.NOTIFY, Rule.NOBODY, id="nobody has the login"),
    pytest.param(situation(whose=nobody("ann")), Decision.NOTIFY, Rule.NOBODY, id="a login without a domain"),
    pytest.param(
        situation(whose=nobody(ambiguous=True)), Decision.NOTIFY, Rule.AMBIGUOUS, id="two directories decide about it"
    ),
    *(
        pytest.param(situation(kind(each)), Decision.REFUSE, Rule.PROTECTED_KIND, id=f"a {each} account")
        for each in sorted(NEVER)
    ),
    *(
        pytest.param(
            situation(kind(each), approved=True), Decision.REFUSE, Rule.PROTECTED_KIND, id=f"{each}, whoever agrees"
        )
        for each in sorted(NEVER)
    ),
    pytest.param(situation(last_path=True), Decision.REFUSE, Rule.LAST_ADMIN, id="the last way in for administrators"),
    pytest.param(
        situation(last_path=True, approved=True), Decision.REFUSE, Rule.LAST_ADMIN, id="the last way in, whoever agrees"
    ),
    pytest.param(situation(ann(enabled=False)), Decision.NOTIFY, Rule.DISABLED, id="a disabled account"),
    pytest.param(
        situation(ann(password_changed_at=NOON + HOUR)),
        Decision.REMEDIATED,
        Rule.REMEDIATED,
        id="changed after the exposure",
    ),
    pytest.param(
        situation(ann(password_changed_at=NOON)), Decision.RESET, Rule.ALLOWED, id="changed at the moment of exposure"
    ),
    pytest.param(situation(ann(password_changed_at=None)), Decision.RESET, Rule.ALLOWED, id="nobody tells when"),
    pytest.param(
        situation(ann(password_changed_at=NOON + HOUR), evidence=replace(REAL, session=True)),
        Decision.RESET,
        Rule.ALLOWED,
        id="changed since, but an exposed session may live",
    ),
    pytest.param(
        situation(
            ann(password_changed_at=NOON + HOUR, sessions_valid_from=NOON + HOUR),
            evidence=replace(REAL, session=True),
        ),
        Decision.REMEDIATED,
        Rule.REMEDIATED,
        id="changed since, and sessions ended since",
    ),
    pytest.param(situation(evidence=WEAK), Decision.NOTIFY, Rule.WEAK, id="weak evidence"),
    pytest.param(situation(ann(authority=Authority.SYNCED)), Decision.NOTIFY, Rule.ELSEWHERE, id="a synced copy"),
    pytest.param(situation(ann(authority=Authority.FEDERATED)), Decision.NOTIFY, Rule.ELSEWHERE, id="a federated one"),
    pytest.param(situation(held="tripped"), Decision.NOTIFY, Rule.BREAKER, id="a breaker is in the way"),
    pytest.param(
        situation(held="tripped", approved=True), Decision.NOTIFY, Rule.BREAKER, id="a breaker, whoever agrees"
    ),
    pytest.param(situation(cooling=True), Decision.NOTIFY, Rule.COOLING, id="exposed again right after a reset"),
    pytest.param(situation(turned_down=True), Decision.NOTIFY, Rule.TURNED_DOWN, id="people said no"),
    pytest.param(situation(failed="HTTP 403"), Decision.NOTIFY, Rule.FAILED, id="the directory refused"),
    pytest.param(situation(replace(ann(), privileged=True)), Decision.ASK, Rule.PRIVILEGED, id="a privileged person"),
    pytest.param(
        situation(replace(ann(), privileged=True), approved=True),
        Decision.RESET,
        Rule.APPROVED,
        id="a privileged person, agreed",
    ),
    pytest.param(situation(kind(AccountKind.UNKNOWN)), Decision.ASK, Rule.UNKNOWN_KIND, id="nobody knows the kind"),
    pytest.param(
        situation(policy=ALLOWS.model_copy(update={"vip": frozenset({LOGIN})})),
        Decision.ASK,
        Rule.NAMED_BY_CLIENT,
        id="whom the client wants to be asked about",
    ),
    pytest.param(situation(ann(recovery=False)), Decision.ASK, Rule.NO_WAY_BACK, id="no way back in"),
    pytest.param(
        situation(ann(recovery=False), policy=ALLOWS.model_copy(update={"needs_recovery": False})),
        Decision.RESET,
        Rule.ALLOWED,
        id="no way back in, and the client does not mind",
    ),
    pytest.param(situation(ann(recovery=None)), Decision.RESET, Rule.ALLOWED, id="the directory cannot tell"),
    pytest.param(
        situation(policy=GuardPolicy(mode="live")),
        Decision.NOTIFY,
        Rule.NOT_ALLOWED,
        id="the client does not allow it",
    ),
    pytest.param(
        situation(policy=GuardPolicy(mode="live"), approved=True),
        Decision.RESET,
        Rule.APPROVED,
        id="not allowed to a machine, but people agreed",
    ),
]


@pytest.mark.parametrize(("seen", "decision", "rule"), CASES)
def test_each_row_of_the_table(seen: Situation, decision: Decision, rule: Rule) -> None:
    verdict = decided(seen)

    assert (verdict.decision, verdict.rule) == (decision, rule)
    assert verdict.why


def test_every_row_is_tried() -> None:
    assert {each.values[2] for each in CASES} == {row.rule for row in TABLE} == set(Rule)


SITUATIONS = st.builds(
    lambda who, strength, change, flags: situation(
        replace(ann(password_changed_at=change), kind=who[0], privileged=who[1]),
        evidence=replace(REAL, strength=strength),
        **flags,
    ),
    st.tuples(st.sampled_from(AccountKind), st.booleans()),
    st.sampled_from(Strength),
    st.sampled_from([None, NOON - HOUR, NOON + timedelta(days=1)]),
    st.fixed_dictionaries(
        {
            "approved": st.booleans(),
            "turned_down": st.booleans(),
            "last_path": st.booleans(),
            "held": st.sampled_from([None, "tripped"]),
            "failed": st.sampled_from([None, "HTTP 403"]),
            "policy": st.sampled_from([ALLOWS, GuardPolicy(), GuardPolicy(reset_persons=True, needs_recovery=False)]),
        }
    ),
)


@given(SITUATIONS)
def test_nothing_ever_resets_who_is_protected(seen: Situation) -> None:
    verdict = decided(seen)

    assert seen.whose.identity is not None
    if verdict.decision is Decision.RESET:
        assert seen.whose.identity.kind not in NEVER
        assert not seen.last_path
        assert seen.held is None
        assert seen.evidence.strength is Strength.REAL
        assert seen.approved or not seen.whose.identity.privileged
        assert seen.approved or seen.whose.identity.kind is AccountKind.PERSON
