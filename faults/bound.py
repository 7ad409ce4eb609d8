"""Ends a run that takes too long, whatever it hangs in: nobody's machine is kept busy by a fault that won."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

EXIT_TOO_LONG: Final = 1
GRACE_SECONDS: Final = 60.0


class TookTooLong(SystemExit):
    """The run has used up its minutes. Like an exit it passes through event loops, and nobody takes it for an error."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Run the block for at most `seconds`, then raise in the main thread; end the process if that is not enough.

    All that the process started ends with it: every child asked Linux for that.

    Raises:
        TookTooLong: the time is up; SIGTERM comes as this too, so that what was started is stopped in order.
    """

    def stop(_number: int, _frame: object) -> NoReturn:
        raise TookTooLong(EXIT_TOO_LONG)

    before = {number: signal.signal(number, stop) for number in (signal.SIGALRM, signal.SIGTERM)}
    signal.setitimer(signal.ITIMER_REAL, seconds)
    last_resort = threading.Timer(seconds + GRACE_SECONDS, _end_now)
    last_resort.daemon = True
    last_resort.start()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        last_resort.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_now() -> NoReturn:
    sys.stderr.write("faults: could not stop in order; ending everything\n")
    os._exit(EXIT_TOO_LONG)
