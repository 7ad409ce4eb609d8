"""All simulated counterparts behind one address: RMMs and directories below their names; one door moves the RMMs."""

from typing import Final

from chassis.health import Receive, Scope, Send
from simulators import datto_api, ninjaone_api
from simulators.breach_served import Directories
from simulators.day import Day
from simulators.wire import Answer, Call, call_of, give

_DOOR: Final = "/_day"


class Rmms:
    """The ASGI app of every vendor's instances. Names of sources differ, whatever their vendor."""

    def __init__(self, whole: Day, directories: Directories) -> None:
        """Serve every source of the fleet that has an API, and the clients' `directories`."""
        self.apps = (ninjaone_api.Api(whole), datto_api.Api(whole))
        self._directories = directories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await give(await self._answer(await call_of(scope, receive)), send)

    async def _answer(self, call: Call) -> Answer:
        if call.path == _DOOR:
            return await self._managed(call)
        name = call.path.split("/")[1]
        if name in self._directories.by_name:
            return await self._directories.answer(call)
        app = next((app for app in self.apps if name in app.instances), self.apps[0])
        return await app.answer(call)

    async def _managed(self, call: Call) -> Answer:
        """Let all play another day, or let the one that knows the named source set it."""
        answers = [await app.answer(call) for app in self.apps]
        choose = max if call.method == "POST" else min
        return choose(answers, key=lambda answer: answer.status)
