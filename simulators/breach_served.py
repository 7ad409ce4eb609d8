"""The directories of the breach's clients: two tenants of Entra ID and an organisation of Okta, each below its name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from simulators.breach import DOMAINS, Breach, Role
from simulators.breach import Person as Somebody
from simulators.entra import Entra
from simulators.fleet import CLIENTS
from simulators.identities import Clock, Person, Provider, person
from simulators.okta import Okta, okta_id
from simulators.wire import Answer, Call

HUDSON: Final = "idp-hudson"
SPREEWERK: Final = "idp-spreewerk"
HARBOUR: Final = "idp-harbour"
NAMES: Final = {CLIENTS[0].name: HUDSON, CLIENTS[1].name: SPREEWERK, CLIENTS[2].name: HARBOUR}
"""Below which name a client's directory is, by client."""

CONNECTOR: Final = "patchline"
"""Whose API token opens Okta."""

_POWER: Final = {HUDSON: "Global Administrator", SPREEWERK: "SUPER_ADMIN", HARBOUR: "Global Administrator"}


class Directories:
    """All three; `answer` takes whole calls, the name still in their path."""

    def __init__(self, breach: Breach, *, url: str, clock: Clock) -> None:
        """Know the people of `breach`; `url` is where this is served."""
        self.by_name: Mapping[str, Provider] = {
            HUDSON: _entra(breach, CLIENTS[0].name, url, clock),
            SPREEWERK: _okta(breach, CLIENTS[1].name, url, clock),
            HARBOUR: _entra(breach, CLIENTS[2].name, url, clock),
        }

    async def answer(self, call: Call) -> Answer:
        """Answer one call to a directory that there is."""
        name = call.path.split("/")[1]
        return await self.by_name[name].answer(replace(call, path=call.path.removeprefix(f"/{name}")))


def _entra(breach: Breach, client: str, url: str, clock: Clock) -> Entra:
    own = f"{url}/{NAMES[client]}"
    people = _people(breach, client, lambda login: person(login).id, clock)
    tenant = Entra(people, domains={DOMAINS[client]: "Managed"}, graph_url=own, login_url=own, clock=clock)
    tenant.resets_privileged = True
    return tenant


def _okta(breach: Breach, client: str, url: str, clock: Clock) -> Okta:
    login = f"{CONNECTOR}@{DOMAINS[client]}"
    owner = person(login, identity=okta_id(login), at=clock())
    owner.roles = {_POWER[NAMES[client]]}
    people = [*_people(breach, client, okta_id, clock), owner]
    return Okta(people, owner=owner, url=f"{url}/{NAMES[client]}", clock=clock)


def _people(breach: Breach, client: str, id_of: Callable[[str], str], clock: Clock) -> list[Person]:
    return [_person(each, id_of(each.login), clock) for each in breach.people if each.client.name == client]


def _person(each: Somebody, identity: str, clock: Clock) -> Person:
    made = person(each.login, identity=identity, at=clock())
    made.name = each.name
    made.changed_at = each.password_changed_at
    made.second_factor = made.recovery = each.has_factor
    if each.role in {Role.ADMIN, Role.BREAK_GLASS}:
        made.roles = {_POWER[NAMES[each.client.name]]}
    return made
