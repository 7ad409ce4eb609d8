"""What the table needs to know, read at once: who has which login, what the client allows, how its breakers stand."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from chassis.postgres import Connection
from services.credentials.cases import store_cases
from services.credentials.cases.records import Case, Evidence, Whose
from services.credentials.cases.rules_decision import Situation
from services.credentials.directory import rules_identity, store_identity
from services.credentials.directory.store_identity import Wanted
from services.credentials.guard import store_guard
from services.credentials.guard.records import Guarding
from services.credentials.records import Identity

Key = tuple[str, str]
"""(directory, object id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What is known of some clients now. `away`: accounts with power that were reset and did not come back yet."""

    guarding: Mapping[UUID, Guarding]
    people: Mapping[Wanted, Sequence[Identity]]
    domains: Mapping[UUID, frozenset[str]]
    powerful: Mapping[UUID, Sequence[Identity]]
    away: Mapping[UUID, Collection[Key]]

    def with_read(self, read: Collection[Identity]) -> "Ground":
        """Return the same with what was `read` just now in place of what is kept of those accounts.

        A sync that ends meanwhile may have kept less of them: what a list of accounts does not tell, one account does.
        """
        fresh = {_key(each): each for each in read}
        people = {wanted: [fresh.get(_key(each), each) for each in found] for wanted, found in self.people.items()}
        return replace(self, people=people)

    def whose(self, tenant: UUID, login: str, user: str | None = None) -> Whose:
        """Return who has a login, or the immutable id that the feed knows; each account as today's policy sees it.

        Where the login's accounts are those of the id too, all of them count: one may be the other's copy.
        """
        policy = self.guarding[tenant].policy
        by_login = self.people.get((tenant, login), ())
        by_id = self.people.get((tenant, user), ()) if user else ()
        chosen = (
            by_id if by_id and not {_key(each) for each in by_id} <= {_key(each) for each in by_login} else by_login
        )
        found = [rules_identity.weighed(each, policy) for each in chosen]
        identity = rules_identity.authoritative(found)
        ambiguous = identity is None and bool(found)
        domains, accounts = self.domains[tenant], tuple(found)
        return Whose(login=login, identity=identity, ambiguous=ambiguous, domains=domains, accounts=accounts)

    def situation(self, tenant: UUID, whose: Whose, evidence: Evidence, case: Case | None = None) -> Situation:
        """Return what the table looks at; `case` is the one that is decided anew."""
        identity = whose.identity
        guarding = self.guarding[tenant]
        last = identity is not None and rules_identity.is_last_path(identity, self.powerful[tenant], self.away[tenant])
        return Situation(
            whose=whose,
            evidence=evidence,
            policy=guarding.policy,
            held=guarding.held,
            last_path=last,
            approved=case is not None and case.approved,
            turned_down=case is not None and case.turned_down,
            failed=None if case is None else case.failed,
        )


async def load(tx: Connection, wanted: Collection[Wanted], *, now: datetime) -> Ground:
    """Return what is known of these logins, or ids, and of their clients."""
    tenants = sorted({tenant for tenant, _ in wanted})
    guarding = await store_guard.load(tx, tenants, now=now)
    powerful = {
        tenant: [
            rules_identity.weighed(each, guarding[tenant].policy)
            for each in await store_identity.privileged(tx, tenant)
        ]
        for tenant in tenants
    }
    return Ground(
        guarding=guarding,
        people=await store_identity.find(tx, wanted),
        domains=await store_identity.domains(tx, tenants),
        powerful=powerful,
        away={tenant: await store_cases.out_of_reach(tx, tenant) for tenant in tenants},
    )


def _key(identity: Identity) -> Key:
    return identity.directory, identity.object_id
