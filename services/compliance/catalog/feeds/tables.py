"""CSV files with a header line, row by row. Pure."""

import csv
from collections.abc import Iterator, Sequence

from services.compliance.catalog.feeds.found import FeedRefused, File


def columns(file: File) -> tuple[str, ...]:
    """Return the names of a file's columns.

    Raises:
        FeedRefused: its first line is none of CSV.
    """
    first = next((line for line in file.text.splitlines() if line and not line.startswith("#")), "")
    try:
        return tuple(next(csv.reader([first]), ()))
    except csv.Error as error:
        raise FeedRefused(f"{file.name}: is no CSV: {error}") from error


def rows(file: File, needs: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row with the number of its line; lines that begin with # are no rows.

    Raises:
        FeedRefused: a column of `needs` is missing, or a row is shorter than the header.
    """
    lines = ((number, line) for number, line in enumerate(file.text.splitlines(), start=1) if line[:1] not in {"#", ""})
    numbered = list(lines)
    if missing := [name for name in needs if name not in columns(file)]:
        raise FeedRefused(f"{file.name}: has no column {', '.join(missing)}")
    reader = csv.DictReader((line for _, line in numbered), restval=None)
    for row in _readable(reader, file):
        number = numbered[reader.line_num - 1][0]
        if None in row.values() or None in row:
            raise FeedRefused(f"{file.name}, line {number}: has not as many fields as the header")
        yield number, row


def _readable(reader: "csv.DictReader[str]", file: File) -> Iterator[dict[str, str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise FeedRefused(f"{file.name}: is no CSV: {error}") from error
