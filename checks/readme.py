"""Tables in README.md that a command writes: between two HTML comments of its own, never by hand."""

from pathlib import Path
from typing import Final, NamedTuple

FILE: Final = Path("README.md")


class NoPlace(Exception):
    """The document has not both comments between which a table stands."""


class Place(NamedTuple):
    """The two comments between which one table stands."""

    begin: str
    end: str

    def written_into(self, text: str, table: str) -> str:
        """Return the document with `table` between the two comments.

        Raises:
            NoPlace: they are not there.
        """
        before, begin, rest = text.partition(self.begin)
        _, end, after = rest.partition(self.end)
        if not begin or not end:
            raise NoPlace(f"{FILE} has not both comments: {self.begin} and {self.end}")
        return f"{before}{begin}\n\n{table}\n\n{end}{after}"

    def write(self, table: str) -> None:
        """Put `table` into README.md.

        Raises:
            NoPlace: it has not both comments.
        """
        FILE.write_text(self.written_into(FILE.read_text(), table))


def line(values: list[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(value.replace('|', '&#124;') for value in values)} |"
