"""The afternoon with a breach: directories, policies and approvers; the feeds' deliveries; what people decide."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from chassis.clock import Clock
from patchline.demo.typed import CommandFailed, CommandLine, typed
from patchline.local import mail, place
from simulators import entra_login, okta
from simulators.breach import DOMAINS, FORMER, PRIVATE_DOMAINS, Breach, Fate
from simulators.breach_served import HUDSON, NAMES, SPREEWERK
from simulators.breach_wire import SOURCES, deliveries
from simulators.sender import Sender, Sent

SYNC_EVERY: Final = "1m"
LONGEST_SYNC_SECONDS: Final = 60.0
LONGEST_CASES_SECONDS: Final = 120.0
LOOK_SECONDS: Final = 0.5
STILL_SECONDS: Final = 4.0
APPROVERS: Final = ("Dana Kim", "Erik Holm")
FOLDER: Final = "breach"
SCHEME: Final = ("--scheme", "standard-webhooks")

Say = Callable[[str], None]
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a directory says was done to an account."""

    what: str
    login: str
    at: str


@dataclass(slots=True, kw_only=True)
class Afternoon:
    """What there is to see when it is over, read through the product's commands and at its counterparts."""

    breach: Breach
    sent: list[Sent] = field(default_factory=list)
    cases: Rows = field(default_factory=list)
    steps: dict[str, Rows] = field(default_factory=dict)
    deeds: list[Deed] = field(default_factory=list)
    notices: dict[str, str] = field(default_factory=dict)
    """Texts of the mails by their Message-ID: one that came twice is one."""
    breakers: Rows = field(default_factory=list)
    levels: Rows = field(default_factory=list)
    late: str = ""


async def play(
    scene: "Scene", *, seconds: float = 1, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> Afternoon:
    """Register, send, decide as people do, wait until every case stands still, and return what is to be seen.

    The feeds' reports are spread over `seconds`. What goes on `meanwhile` is over before people decide.
    """
    await asyncio.to_thread(scene.register)
    await scene.until(scene.are_read, LONGEST_SYNC_SECONDS, "the directories were not read in time")
    async with asyncio.TaskGroup() as tasks:
        if meanwhile is not None:
            tasks.create_task(_run(meanwhile))
        tasks.create_task(scene.send(seconds))
    await scene.until(scene.is_asked, LONGEST_CASES_SECONDS, "people were not asked in time")
    await asyncio.to_thread(scene.decide)
    await scene.until(scene.stands_still, LONGEST_CASES_SECONDS, "the cases did not come to rest in time")
    await scene.look()
    return scene.afternoon


async def _run(what: Callable[[], Awaitable[None]]) -> None:
    await what()


@dataclass(slots=True)
class Scene:
    """One afternoon in one running stack. `more_policy` is added to what each client allows."""

    afternoon: Afternoon
    settings: Mapping[str, str]
    patchline: CommandLine
    clock: Clock
    secrets: dict[str, str] = field(default_factory=dict)
    more_policy: Mapping[str, Any] = field(default_factory=dict)
    _before: tuple[Rows, float] = ([], 0.0)

    @property
    def folder(self) -> Path:
        """Return where the afternoon keeps its files."""
        return place.made(Path(self.settings["PATCHLINE_HOME"]) / FOLDER)

    def register(self) -> None:
        """Add the feeds, the directories, what each client allows, and who may decide."""
        for feed, source in SOURCES.items():
            [added] = typed(self.patchline, "source", "add", f"exposure/{feed}", source.name, *SCHEME)
            self.secrets[source.full_name] = added["secret"]
        for client, domain in DOMAINS.items():
            for source in SOURCES.values():
                for each in {domain, *({FORMER} if client == next(iter(DOMAINS)) else ())}:
                    typed(self.patchline, "client", "map", client, source.full_name, each)
            self._add_directory(client)
            policy = self.folder / f"{NAMES[client]}.yaml"
            policy.write_text(json.dumps(policy_of(client, domain) | dict(self.more_policy)))
            typed(self.patchline, "guard", "set", str(policy), "--client", client, "--reason", "agreed for the demo")
        for name in APPROVERS:
            self._enroll(name)

    def _add_directory(self, client: str) -> None:
        name, folder = NAMES[client], Path(self.settings["PATCHLINE_DIRECTORY_SECRETS_DIR"])
        own = f"{self.settings['PATCHLINE_SIMULATED_RMM_URL']}/{name}"
        if name == SPREEWERK:
            kind, secret, said = "okta", okta.TOKEN, {"url": own, "domains": DOMAINS[client]}
        else:
            kind, secret = "entra", entra_login.CLIENT_SECRET
            said = {"tenant_id": entra_login.TENANT, "client_id": entra_login.CLIENT_ID}
            said |= {"login_url": own, "graph_url": own}
        place.write_private(place.made(folder) / name, secret)
        words = [word for key, value in said.items() for word in ("--set", f"{key}={value}")]
        typed(
            self.patchline, "directory", "add", name, "--client", client, "--kind", kind, "--secret", name,
            "--every", SYNC_EVERY, *words,
        )  # fmt: skip

    def _enroll(self, name: str) -> None:
        passphrase = self._passphrase()
        [made] = typed(self.patchline, "approver", "key", str(self._key(name)), "--passphrase-file", str(passphrase))
        typed(
            self.patchline, "approver", "enroll", name, "--mail", mail_of(name),
            "--public-key", made["public_key"],
        )  # fmt: skip

    def _key(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-').lower()}.key"

    def _passphrase(self) -> Path:
        file = self.folder / "passphrase"
        place.kept_secret(file)
        return file

    async def are_read(self) -> bool:
        """Return whether every directory was read whole."""
        rows: Rows = await asyncio.to_thread(typed, self.patchline, "directory", "list")
        return len(rows) == len(NAMES) and all(row["fresh_at"] for row in rows)

    async def send(self, seconds: float) -> None:
        """Deliver what the feeds found: the first reports over `seconds`, and after them the repeats of other feeds."""
        async with httpx.AsyncClient(base_url=self.settings["PATCHLINE_GATEWAY_URL"], trust_env=False) as client:
            sender = Sender(client, self.secrets, self.clock)
            told = deliveries(self.afternoon.breach)
            again = next(place for place, each in enumerate(told) if "again" in each.name)
            for wave, spread in ((told[:again], seconds), (told[again:], 1)):
                await sender.send_all(wave, seconds=spread, on_sent=self.afternoon.sent.append)
                await asyncio.sleep(STILL_SECONDS)

    async def is_asked(self) -> bool:
        """Return whether there is a case of everybody, and people are asked about all whom they decide about."""
        rows = await self.cases()
        asked = {row["login"] for row in rows if row["decision"] == "ask"}
        return len(rows) == len(self.afternoon.breach.fates) and asked >= set(self._to_be_decided())

    def _to_be_decided(self) -> list[str]:
        breach = self.afternoon.breach
        return [*breach.of(Fate.APPROVED), *breach.of(Fate.WAITING), *breach.of(Fate.TURNED_DOWN)]

    def decide(self) -> None:
        """Let two people agree to one reset, one of them alone to another one, and one say no to a third."""
        case_of = {row["login"]: row["id"] for row in typed(self.patchline, "case", "list")}
        breach = self.afternoon.breach
        for login in breach.of(Fate.APPROVED):
            for name in APPROVERS:
                self._say("approve", case_of[login], name)
        for login in breach.of(Fate.WAITING)[:1]:
            self._say("approve", case_of[login], APPROVERS[0])
        for login in breach.of(Fate.TURNED_DOWN):
            self._say("refuse", case_of[login], APPROVERS[1])

    def _say(self, word: str, case: str, name: str) -> None:
        key, passphrase = str(self._key(name)), str(self._passphrase())
        typed(self.patchline, "case", word, case, "--key", key, "--passphrase-file", passphrase, "--yes")

    async def stands_still(self) -> bool:
        """Return whether all that is to be reset is, and no case has moved for a while."""
        rows, loop = await self.cases(), asyncio.get_running_loop()
        if rows != self._before[0]:
            self._before = rows, loop.time()
        breach = self.afternoon.breach
        over = {row["login"] for row in rows if row["state"] == "closed"}
        wanted = {*breach.of(Fate.RESET), *breach.of(Fate.APPROVED), *breach.of(Fate.REMEDIATED)}
        return over >= wanted and loop.time() - self._before[1] >= STILL_SECONDS

    async def cases(self) -> Rows:
        """Return every case, as the product lists it."""
        rows: Rows = await asyncio.to_thread(typed, self.patchline, "case", "list")
        return rows

    async def look(self) -> None:
        """Read everything that is to be judged."""
        after = self.afternoon
        after.cases = await self.cases()
        shown = [await asyncio.to_thread(typed, self.patchline, "case", "show", row["id"]) for row in after.cases]
        after.steps = {row["login"]: row["steps"] for [row] in shown}
        after.breakers = await asyncio.to_thread(typed, self.patchline, "breaker", "status")
        after.levels = await asyncio.to_thread(self._levels)
        after.notices = notices(Path(self.settings["PATCHLINE_HOME"]))
        async with httpx.AsyncClient(base_url=self.settings["PATCHLINE_SIMULATED_RMM_URL"], trust_env=False) as client:
            for name in NAMES.values():
                done = (await client.get(f"/{name}/_idp")).raise_for_status().json()["deeds"]
                after.deeds += [Deed(**each) for each in done]

    def _levels(self) -> Rows:
        rows: Rows = typed(self.patchline, "case", "levels")
        return rows

    async def until(self, condition: Callable[[], Any], seconds: float, otherwise: str) -> None:
        """Wait until `condition`, for so long at most; what did not come about in time is said in the end."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while loop.time() < deadline:
            try:
                if await condition():
                    return
            except CommandFailed:  # nothing to list yet
                continue
            finally:
                await asyncio.sleep(LOOK_SECONDS)
        self.afternoon.late = self.afternoon.late or f"{otherwise} ({seconds:.0f} s)"


def mail_of(name: str) -> str:
    """Return where an approver reads mail."""
    return f"{name.partition(' ')[0].lower()}@msp.example"


def policy_of(client: str, domain: str) -> dict[str, Any]:
    """Return what a client of the demo allows: resets of persons, at the pace of the usual batches."""
    language = "de" if NAMES[client] == SPREEWERK else "en"
    return {
        "mode": "live",
        "live_feeds": [source.full_name for source in SOURCES.values()],
        "reset_persons": True,
        "break_glass": [f"emergency@{domain}"],
        "owner": {"name": client, "mail": f"owner@{PRIVATE_DOMAINS[client]}", "language": language},
        "caps": {
            "per_hour": 60, "share": 0.9, "privileged_per_hour": 5, "surge_least": 200, "one_source_least": 200,
            "all_admins_least": 10,
        },
        "hygiene": {"enabled": NAMES[client] == HUDSON},
    }  # fmt: skip


def notices(home: Path) -> dict[str, str]:
    """Return the text of every mail that the mail server of a stack took, by Message-ID."""
    return {str(each["Message-ID"]): _text(each) for each in mail.kept(home / "mail")}


def _text(message: Any) -> str:
    body = message.get_payload(decode=True)
    return f"To: {message['To']}\nSubject: {message['Subject']}\n\n{(body or b'').decode(errors='replace')}"


def to_owners(texts: Mapping[str, str]) -> Sequence[str]:
    """Return the mails that went to an owner; the others are invitations to decide."""
    owners = {f"owner@{domain}" for domain in PRIVATE_DOMAINS.values()}
    return [text for text in texts.values() if any(owner in text.splitlines()[0] for owner in owners)]
