"""How much one transaction takes: by what its records turned out to hold, not only by how many they are.

A hundred deliveries may hold a hundred events or ten thousand; an event may decide one obligation or all of a machine.
"""

from typing import Final

from chassis.errors import NeverWorks

AT_FIRST: Final = 20.0
"""What a record is believed to hold before any was seen: the first transactions are small rather than large."""

LATELY: Final = 100
"""What a record holds is learned from about so many of the last ones."""


class TooMuch(NeverWorks):
    """More records than one transaction should hold: its consumer halves them."""


class Portions:
    """What the records of one consumer hold, learned from those before."""

    def __init__(self, most: int) -> None:
        """Let a transaction hold about so many."""
        self.most = most
        self._each = AT_FIRST

    def check(self, records: int) -> None:
        """Look whether so many records go into one transaction. One alone always does.

        Raises:
            TooMuch: they would hold more than the most.
        """
        if records > 1 and records * self._each > self.most:
            raise TooMuch(f"{records} records that hold {self._each:.0f} each, in one transaction at most {self.most}")

    def learn(self, records: int, held: int) -> None:
        """Remember what so many records held together."""
        if records:
            self._each += (held / records - self._each) * min(records / LATELY, 1.0)
