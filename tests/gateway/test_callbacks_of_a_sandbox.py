"""A ConnectWise PSA calls back, in its true wire format: the door fetches its key by itself and believes it."""

import asyncio

from chassis.health import Progress
from contracts.events.psa import TicketChange
from contracts.topics import PSA_RAW
from services.gateway import vendors
from services.gateway.adapters.callback_key_api import key_at
from services.gateway.door.callback_keys import CallbackKeys
from services.gateway.door.verification import SignedCallback
from services.gateway.registry.sources import source
from simulators.connectwise import BOARD, Deed
from simulators.connectwise_served import served
from tests.gateway.doors import open_door, raw_topic
from tests.gateway.held import body_key, opened

PATH = "/webhooks/psa/connectwise/main"
KEY = body_key("psa/connectwise/main")


async def test_a_closure_in_the_psa_arrives_believed_and_understood(kafka: str) -> None:
    keys, stopping = CallbackKeys(key_at, Progress()), asyncio.Event()
    async with served({"ACME": "Acme Dental"}) as psa, asyncio.TaskGroup() as tasks:
        scheme = SignedCallback(frozenset({psa.url.removeprefix("http://")}), keys.by_address)
        sources = {PATH: source("connectwise", "psa/connectwise/main", scheme, KEY)}
        async with open_door(kafka, sources=sources) as door, raw_topic(kafka, PSA_RAW.name) as raw:
            door.sources.callback_keys = keys
            tasks.create_task(keys.run(stopping))
            url = f"http://127.0.0.1:{door.port}{PATH}"
            psa.callbacks.register({"type": "ticket", "level": "owner", "url": url}, by="api", at=psa.clock())
            fields = {"summary": "KB1 fails", "company": {"identifier": "ACME"}, "externalXRef": "pl-x-g1"}
            ticket = psa.records.create(fields, by="api", at=psa.clock())
            [closing] = [
                each["id"]
                for each in psa.records.statuses[ticket["board"]["id"]]
                if each["closedStatus"] and ticket["board"]["name"] == BOARD
            ][:1]

            patch = [{"op": "replace", "path": "status", "value": {"id": closing}}]
            psa.act(Deed(ticket=ticket["id"], by="jane", patch=patch))
            await psa.callbacks.quiet()

            [record] = await raw.standing()
            stopping.set()
    translation = vendors.translated(opened(record, KEY), vendors.adapters())
    [told] = translation.tickets
    assert [each.status for each in psa.callbacks.told] == [202]
    assert (told.event.change, told.event.number, told.event.by) == (TicketChange.CLOSED, str(ticket["id"]), "jane")
    assert told.event.key == "pl-x-g1"
