"""The one table that decides what is done about a case: evidence, account, the client's policy, breaker. Pure.

Rows are tried in their order, and the first that fits decides. What no machine may ever do stands before what it may;
and the table is asked again, with the directory freshly read, right before anything is done.

Source: the ten points of a safe forced reset in the project's references, numbers 1, 4, 5, 6 and 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from contracts.events.credential import AccountKind, Decision
from services.credentials.cases.records import Evidence, Rule, Strength, Verdict, Whose
from services.credentials.cases.rules_evidence import is_remediated
from services.credentials.directory.rules_identity import is_named
from services.credentials.guard.policy import GuardPolicy
from services.credentials.records import Account, Authority

NEVER: Final = frozenset(
    {
        AccountKind.BREAK_GLASS,
        AccountKind.SERVICE,
        AccountKind.SYNC,
        AccountKind.SHARED,
        AccountKind.CONNECTOR,
    }
)
"""Kinds of account that no machine resets, whoever agrees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that the table looks at. `held` says why a breaker is in the way; `None`: none is.

    `last_path`: nobody could administer the client's directory any more if this account could not sign in. `failed`:
    why the directory refused it before. `cooling`: the account was reset within the cooling period.
    """

    whose: Whose
    evidence: Evidence
    policy: GuardPolicy
    held: str | None = None
    last_path: bool = False
    approved: bool = False
    turned_down: bool = False
    failed: str | None = None
    cooling: bool = False

    @property
    def account(self) -> Account | None:
        """Return the account, if one is known."""
        return None if self.whose.identity is None else self.whose.identity.account


class Row(NamedTuple):
    """One row: when `fits` says yes, `decision` holds; `why` puts it in words."""

    rule: Rule
    decision: Decision
    fits: Callable[[Situation], bool]
    why: Callable[[Situation], str]


def decided(situation: Situation) -> Verdict:
    """Return what is to be done."""
    row = next(each for each in TABLE if each.fits(situation))
    return Verdict(decision=row.decision, rule=row.rule, why=row.why(situation))


def is_foreign(whose: Whose) -> bool:
    """Return whether a login's domain is none that the client's directories have proven as their own."""
    _, at, domain = whose.login.rpartition("@")
    return whose.identity is None and not whose.ambiguous and bool(at and whose.domains) and domain not in whose.domains


def _kind(situation: Situation) -> AccountKind:
    return AccountKind.UNKNOWN if situation.whose.identity is None else situation.whose.identity.kind


def _kind_why(situation: Situation) -> str:
    return "" if situation.whose.identity is None else situation.whose.identity.kind_why


def _is_disabled(situation: Situation) -> bool:
    return situation.account is not None and not situation.account.enabled


def _is_remediated(situation: Situation) -> bool:
    account = situation.account
    return account is not None and is_remediated(
        situation.evidence,
        password_changed_at=account.password_changed_at,
        sessions_valid_from=account.sessions_valid_from,
    )


def _remediated_why(situation: Situation) -> str:
    changed_at = None if situation.account is None else situation.account.password_changed_at
    changed = "" if changed_at is None else f"{changed_at:%Y-%m-%d %H:%M} UTC"
    return f"the password was changed on {changed}, after the exposure of {situation.evidence.at:%Y-%m-%d %H:%M} UTC"


def _is_elsewhere(situation: Situation) -> bool:
    return situation.account is not None and situation.account.authority in {Authority.SYNCED, Authority.FEDERATED}


def _is_privileged(situation: Situation) -> bool:
    return situation.whose.identity is not None and situation.whose.identity.privileged


def _is_named_by_client(situation: Situation) -> bool:
    return situation.account is not None and is_named(situation.account, situation.policy.vip)


def _has_no_way_back(situation: Situation) -> bool:
    account = situation.account
    return situation.policy.needs_recovery and account is not None and account.recovery is False


def _says(text: str) -> Callable[[Situation], str]:
    return lambda _: text


def _always(_: Situation) -> bool:
    return True


TABLE: Final[Sequence[Row]] = (
    Row(
        Rule.FOREIGN,
        Decision.REFUSE,
        lambda at: is_foreign(at.whose),
        _says("the login's domain is none that the client's directories have proven as their own"),
    ),
    Row(
        Rule.AMBIGUOUS,
        Decision.NOTIFY,
        lambda at: at.whose.ambiguous,
        _says("more than one directory decides about this login's password: nobody can say which was exposed"),
    ),
    Row(
        Rule.NOBODY,
        Decision.NOTIFY,
        lambda at: at.whose.identity is None,
        _says("no account of this login is known in the client's directories"),
    ),
    Row(
        Rule.PROTECTED_KIND,
        Decision.REFUSE,
        lambda at: _kind(at) in NEVER,
        lambda at: f"a machine must never reset it, it is a {_kind(at).replace('_', '-')} account: {_kind_why(at)}",
    ),
    Row(
        Rule.LAST_ADMIN,
        Decision.REFUSE,
        lambda at: at.last_path,
        _says("a machine must never reset it: nobody else could administer the client's directory"),
    ),
    Row(Rule.DISABLED, Decision.NOTIFY, _is_disabled, _says("the account is disabled: nobody can sign in with it")),
    Row(Rule.REMEDIATED, Decision.REMEDIATED, _is_remediated, _remediated_why),
    Row(
        Rule.WEAK,
        Decision.NOTIFY,
        lambda at: at.evidence.strength is Strength.WEAK,
        _says("nothing shows that a secret in use was exposed: no usable secret, or an old list"),
    ),
    Row(
        Rule.ELSEWHERE,
        Decision.NOTIFY,
        _is_elsewhere,
        _says("the password is decided in a directory that is not connected: changing it here would be undone"),
    ),
    Row(
        Rule.COOLING,
        Decision.NOTIFY,
        lambda at: at.cooling,
        _says("exposed again after a reset within the cooling period: look at the person's machine first"),
    ),
    Row(
        Rule.TURNED_DOWN,
        Decision.NOTIFY,
        lambda at: at.turned_down,
        _says("people were asked and did not agree in time"),
    ),
    Row(
        Rule.FAILED,
        Decision.NOTIFY,
        lambda at: at.failed is not None,
        lambda at: f"a person must do it, it did not work by machine: {at.failed}",
    ),
    Row(
        Rule.BREAKER,
        Decision.NOTIFY,
        lambda at: at.held is not None,
        lambda at: f"nothing is reset now: {at.held}",
    ),
    Row(Rule.APPROVED, Decision.RESET, lambda at: at.approved, _says("enough people agreed, in time")),
    Row(Rule.PRIVILEGED, Decision.ASK, _is_privileged, _says("the account has power: two people must agree")),
    Row(
        Rule.UNKNOWN_KIND,
        Decision.ASK,
        lambda at: _kind(at) is AccountKind.UNKNOWN,
        lambda at: f"nobody can say what kind of account it is: {_kind_why(at)}",
    ),
    Row(
        Rule.NAMED_BY_CLIENT, Decision.ASK, _is_named_by_client, _says("the client wants to be asked about this person")
    ),
    Row(
        Rule.NO_WAY_BACK,
        Decision.ASK,
        _has_no_way_back,
        _says("the person has registered no way back in: a reset locks them out until the help desk has called"),
    ),
    Row(
        Rule.NOT_ALLOWED,
        Decision.NOTIFY,
        lambda at: not at.policy.reset_persons,
        _says("the client has not allowed that a machine resets persons"),
    ),
    Row(Rule.ALLOWED, Decision.RESET, _always, _says("a usable secret of a person was exposed; the client allows it")),
)
