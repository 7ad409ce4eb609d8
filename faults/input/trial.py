"""`python -m faults.input.trial`: gives every decoder ugly bodies, in a process of its own whose memory is bounded.

Prints one JSON object. A case fails where the decoder raises what it does not declare, takes too long, or wants more
memory than it may have.
"""

import argparse
import json
import random
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Final, NoReturn

from hypothesis import HealthCheck, Phase, given, seed, settings

from faults.input import corpus, decoders, documents
from faults.input.cases import near
from faults.input.decoders import Decoder

SECONDS: Final = 10.0
"""No case may take more of the processor's time, not even the largest body; what else the machine does is no matter."""

MEMORY_BYTES: Final = 3 * 1024**3
"""Address space of the whole process: a bomb that is unpacked, or a list without an end, does not fit."""

SHOWN: Final = 200


class TookTooLong(Exception):
    """A case has used up its time."""


@dataclass(slots=True)
class Trial:
    """What came of it: cases by decoder, what went wrong, the slowest case and the memory at its highest."""

    cases: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""
    peak_mib: int = 0

    @contextmanager
    def case(self, decoder: Decoder, name: str) -> Iterator[None]:
        """Time one case, and note what it raised if the decoder may not."""
        self.cases[decoder.name] += 1
        began = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        outcome = _Outcome(decoder.refuses)
        with outcome:
            yield
        signal.setitimer(signal.ITIMER_PROF, 0)
        took = time.process_time() - began
        if took > self.slowest_s:
            self.slowest_s, self.slowest = took, f"{decoder.name}: {name}"
        if outcome.error is not None:
            self.wrong.append(f"{decoder.name}: {name}: {outcome.error}")


class _Outcome:
    """Swallows what a case raises, and remembers it unless it is declared."""

    def __init__(self, refuses: tuple[type[Exception], ...]) -> None:
        self._refuses = refuses
        self.error: str | None = None

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        """Swallow every error, but none of what ends a process."""
        if not isinstance(error, Exception):
            return False
        if not isinstance(error, self._refuses) or isinstance(error, TookTooLong):
            self.error = f"{type(error).__name__}: {str(error)[:200]!r}"
        return True


def tried(all_of_them: Sequence[Decoder], *, number: int, cases: int) -> Trial:
    """Give each decoder the whole corpus, then so many bodies that are nearly right; the same `number`, the same."""
    trial = Trial()
    for decoder in all_of_them:
        for name, body in corpus.bodies(decoder.most_bytes).items():
            with trial.case(decoder, name):
                decoder.read(body)
        _nearly_right(trial, decoder, number=number, cases=cases)
    trial.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return trial


def _nearly_right(trial: Trial, decoder: Decoder, *, number: int, cases: int) -> None:
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @seed(random.Random(f"{number}/{decoder.name}").getrandbits(64))
    @given(body=near(decoder.seeds))
    def give(body: bytes) -> None:
        with trial.case(decoder, repr(body[:300])):
            decoder.read(body[: decoder.most_bytes])

    give()


def _stop(_number: int, _frame: object) -> NoReturn:
    raise TookTooLong(f"after {SECONDS:g} s")


def chosen(only: str) -> list[Decoder]:
    """Return the decoders whose names hold `only`."""
    every = (*decoders.at_the_gateway(), *decoders.of_events(), *documents.loaded_by_people())
    return [each for each in every if only in each.name]


def main() -> int:
    """Try all decoders; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="faults.input.trial", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=30, help="nearly right bodies for each decoder")
    parser.add_argument("--only", default="", metavar="WORD", help="decoders whose names hold this")
    wanted = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _stop)
    trial = tried(chosen(wanted.only), number=wanted.seed, cases=wanted.cases)
    told = asdict(trial) | {
        "wrong": trial.wrong[:SHOWN],
        "wrongs": len(trial.wrong),
        "cases": sum(trial.cases.values()),
    }
    sys.stdout.write(json.dumps(told | {"decoders": len(trial.cases)}) + "\n")
    return 1 if trial.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
