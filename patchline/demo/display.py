"""What a person sees while the demo runs: a live panel at a terminal, plain lines everywhere else."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

PLAIN_EVERY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How far things are. `lag` is `None` where nobody can tell now."""

    planned: int = 0
    sent: int = 0
    accepted: int = 0
    events: int = 0
    tickets: int = 0
    dead_letters: int = 0
    lag: int | None = None

    def row(self) -> dict[str, str]:
        """Return what is shown, by its heading."""
        return {
            "sent": f"{self.sent}/{self.planned}",
            "accepted": str(self.accepted),
            "events": str(self.events),
            "tickets": str(self.tickets),
            "dead letters": str(self.dead_letters),
            "lag": "?" if self.lag is None else str(self.lag),
        }


class Display(Protocol):
    """Where progress goes."""

    def step(self, title: str) -> None:
        """Begin the next step; the one before is done."""

    def say(self, line: str) -> None:
        """Tell a detail of the step under way."""

    def count(self, counts: Counts) -> None:
        """Show how far things are."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""


def display(console: Console) -> Display:
    """Return the display that suits `console`."""
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class PlainDisplay:
    """One line for each thing, with the seconds since the beginning."""

    def __init__(self, console: Console) -> None:
        """Write to `console`."""
        self._console = console
        self._started = time.monotonic()
        self._counted_at = 0.0

    def __enter__(self) -> Self:
        """Show nothing yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Show nothing more."""

    def step(self, title: str) -> None:
        """Print the step."""
        self._print(f"== {title}")

    def say(self, line: str) -> None:
        """Print the detail."""
        self._print(f"   {line}")

    def count(self, counts: Counts) -> None:
        """Print the counts, not too often."""
        now = time.monotonic()
        if now - self._counted_at >= PLAIN_EVERY_SECONDS:
            self._counted_at = now
            self._print("   " + ", ".join(f"{name} {value}" for name, value in counts.row().items()))

    def _print(self, line: str) -> None:
        text = f"[{time.monotonic() - self._started:6.1f} s] {line}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class _Step:
    """A step and how long it took; `None` while it is under way."""

    title: str
    started: float
    seconds: float | None = None


class LiveDisplay:
    """A panel that is drawn again and again: the steps, the counts, a bar."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._steps: list[_Step] = []
        self._line = ""
        self._counts = Counts()
        self._live = Live(
            console=console,
            get_renderable=self._drawn,
            refresh_per_second=5,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Draw once more and stop."""
        if kind is None:
            self._finish()
        self._line = ""
        self._live.stop()

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._finish()
        self._steps.append(_Step(title, time.monotonic()))
        self._line = ""

    def say(self, line: str) -> None:
        """Show the detail below the steps, in place of the one before."""
        self._line = line

    def count(self, counts: Counts) -> None:
        """Show how far things are."""
        self._counts = counts

    def _finish(self) -> None:
        if self._steps and self._steps[-1].seconds is None:
            self._steps[-1].seconds = time.monotonic() - self._steps[-1].started

    def _drawn(self) -> Group:
        steps = Table.grid(padding=(0, 1))
        for each in self._steps:
            is_done = each.seconds is not None
            seconds = each.seconds if each.seconds is not None else time.monotonic() - each.started
            mark = Text("✓", "green") if is_done else Text(">", "bold cyan")
            steps.add_row(mark, Text(each.title, "" if is_done else "bold"), Text(f"{seconds:.0f} s", "dim"))
        counts = Table(box=None, padding=(0, 2), pad_edge=False)
        for name in self._counts.row():
            counts.add_column(name, justify="right")
        counts.add_row(*self._counts.row().values())
        bar = ProgressBar(total=max(self._counts.planned, 1), completed=self._counts.sent, width=60)
        return Group(steps, Text(self._line, "dim", no_wrap=True, overflow="ellipsis"), counts, bar)
