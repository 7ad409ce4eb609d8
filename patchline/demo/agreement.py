"""One client's policy: linted, applied, what fell due by it, and one exception from the request to its end."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from chassis.clock import Clock
from patchline.demo.typed import CommandFailed, CommandLine, asked, silently, typed
from patchline.local import place
from simulators.fleet import CLIENTS

POLICY: Final = Path(__file__).with_name("agreement.yaml")
CLIENT: Final = CLIENTS[0].name
OWNER: Final = "Ruth Alder"
FOLDER: Final = "agreement"
LASTS: Final = timedelta(seconds=60)
"""How long the exception lasts: long enough for its ticket and signature, short enough to see its end in a demo."""

LONGEST_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.5
DAY: Final = timedelta(days=1)

Rows = list[dict[str, Any]]


@dataclass(slots=True, kw_only=True)
class Agreement:
    """What there is to see of it, read through the product's own commands.

    `target` is the obligation that is excepted; `before`, `during` and `after` how it stood. Empty: none could be.
    """

    lint: dict[str, Any] = field(default_factory=dict)
    applied: dict[str, Any] = field(default_factory=dict)
    fell_due: Rows = field(default_factory=list)
    late: Rows = field(default_factory=list)
    target: dict[str, Any] = field(default_factory=dict)
    during: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    exception: dict[str, Any] = field(default_factory=dict)
    hindrance: str = ""


@dataclass(slots=True)
class Table:
    """Where the agreement is made: one running stack."""

    agreement: Agreement
    settings: Mapping[str, str]
    patchline: CommandLine
    clock: Clock

    async def agree(self) -> None:
        """Lint and apply the policy, then ask for an exception and let the owner sign it."""
        await asyncio.to_thread(self._apply)
        await asyncio.to_thread(self._enroll)
        await asyncio.to_thread(self._pick)
        if not self.agreement.target:
            self.agreement.hindrance = "nothing is overdue that could be excepted"
            return
        await asyncio.to_thread(self._request)
        try:
            await until(self._has_ticket, "the exception's ticket did not come in time")
            await asyncio.to_thread(self._sign)
            await until(self._is_excepted, "the exception did not come into force in time")
        except TimeoutError as error:
            self.agreement.hindrance = str(error)

    async def look(self) -> None:
        """Wait for the exception's end, and look at everything once more."""
        if self.agreement.target and not self.agreement.hindrance:
            try:
                await until(self._has_ended, "the exception did not end in time", LASTS.total_seconds() + 30)
            except TimeoutError as error:
                self.agreement.hindrance = str(error)
        await asyncio.to_thread(self._read)

    @property
    def folder(self) -> Path:
        """Return where the owner's key is kept."""
        return place.made(Path(self.settings["PATCHLINE_HOME"]) / FOLDER)

    def _apply(self) -> None:
        self.agreement.lint = asked(self.patchline, "policy", "lint", str(POLICY))
        [self.agreement.applied] = typed(
            self.patchline, "policy", "apply", str(POLICY), "--reason", "agreed in the kick-off meeting",
            "--accept-infeasible", "servers restart on Sundays; the owner knows that proof comes later",
        )  # fmt: skip

    def _pick(self) -> None:
        """Choose the first overdue server whose update nobody tried yet: an exception is for what is left undone."""
        rows = [each for each in self._obligations("MISSING_OVERDUE") if each["tier"] == "server"]
        rows = [each for each in rows if not each["failures"]]
        self.agreement.target = min(rows, key=lambda each: (each["hostname"], each["train"]), default={})

    def _obligations(self, state: str) -> Rows:
        found: Rows = typed(self.patchline, "obligation", "list", "--client", CLIENT, "--state", state)
        return found

    def _request(self) -> None:
        target = self.agreement.target
        until_at = self.clock() + LASTS
        [self.agreement.exception] = typed(
            self.patchline, "exception", "request", "--client", CLIENT,
            "--product", str(target["requirement"]), "--machine", target["hostname"],
            "--reason", "the vendor of the imaging software has not released this update for it yet",
            "--control", "segmentation: alone in its own network, no way to the internet",
            "--until", until_at.isoformat(),
        )  # fmt: skip

    async def _has_ticket(self) -> bool:
        return bool((await asyncio.to_thread(self._shown))["ticket"])

    def _shown(self) -> dict[str, Any]:
        rows: Rows = typed(self.patchline, "exception", "list", "--client", CLIENT, "--all")
        return next(each for each in rows if each["exception"] == self.agreement.exception["exception"])

    def _enroll(self) -> None:
        """Let the owner make a key on a machine of their own, and an operator enrol the public one."""
        place.kept_secret(self._passphrase)
        [made] = typed(self.patchline, "approver", "key", str(self._key), "--passphrase-file", str(self._passphrase))
        typed(
            self.patchline, "approver", "enroll", OWNER, "--mail", CLIENTS[0].contact, "--role", "owner",
            "--public-key", made["public_key"], "--client", CLIENT,
        )  # fmt: skip

    def _sign(self) -> None:
        """Hand the owner the text, let them sign it, and bring it back."""
        number, text, signed = str(self.agreement.exception["exception"]), self.folder / "text", self.folder / "signed"
        silently(self.patchline, "exception", "text", number, "--out", str(text))
        typed(
            self.patchline, "exception", "sign", str(text), "--key", str(self._key), "--out", str(signed),
            "--passphrase-file", str(self._passphrase), "--yes",
        )  # fmt: skip
        typed(self.patchline, "exception", "approve", number, "--signature", str(signed), "--wait", "30")

    @property
    def _key(self) -> Path:
        return self.folder / "owner.key"

    @property
    def _passphrase(self) -> Path:
        return self.folder / "passphrase"

    async def _is_excepted(self) -> bool:
        self.agreement.during = await asyncio.to_thread(self._target_now)
        return bool(self.agreement.during["state"] == "EXCEPTED")

    async def _has_ended(self) -> bool:
        self.agreement.after = await asyncio.to_thread(self._target_now)
        return bool(self.agreement.after["state"] == self.agreement.target["state"])

    def _target_now(self) -> dict[str, Any]:
        target = self.agreement.target
        rows: Rows = typed(self.patchline, "obligation", "show", target["hostname"])
        return next(
            each["obligation"]
            for each in rows
            if str(each["obligation"]["requirement_id"]) == str(target["requirement"])
        )

    def _read(self) -> None:
        now = self.clock()
        rows: Rows = typed(self.patchline, "obligation", "list", "--client", CLIENT, "--limit", "100000")
        due = [(datetime.fromisoformat(each["due_at"]), each) for each in rows if each["due_at"]]
        self.agreement.fell_due = [each for at, each in due if now - DAY < at <= now]
        self.agreement.late = [each for at, each in due if at <= now and each["state"] != "VERIFIED"]
        if self.agreement.target:
            self.agreement.exception = self._shown()


async def until(holds: Callable[[], Awaitable[bool]], late: str, seconds: float = LONGEST_SECONDS) -> None:
    """Wait until `holds`, at most `seconds`.

    Raises:
        TimeoutError: it does not; says `late`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if await holds():
                return
        except CommandFailed as error:
            late = str(error)
        await asyncio.sleep(LOOK_SECONDS)
    raise TimeoutError(late)
