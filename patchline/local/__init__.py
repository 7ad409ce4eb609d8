"""The real systems on one machine: Kafka, PostgreSQL and a tracker as our own foreground children.

Owns: how each part is found, started, watched and stopped. Loopback only; no part is ever daemonised.
Read in this order: `parts` (all of them together) -> `kafka`, `postgres`, `roundup` (one each) -> `child` (a program
we start) and `runs` (what `patchline up` has running).
"""

from collections.abc import Callable

Say = Callable[[str], None]
"""Tells a person, in one line, what goes on."""


class PartUnavailable(RuntimeError):
    """A part cannot run here; the message is one clear line that ends with the fix."""
