"""What the answers of all ticket systems have in common: one that cannot be read, and what that leaves open."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from chassis.http import READS, Refused, Unavailable
from contracts.envelope import described
from services.ticketing.adapters.tracker import NotAsWritten

M = TypeVar("M")


def understood(model: TypeAdapter[M], response: httpx.Response, vendor: str) -> M:
    """Return what an answer says.

    Raises:
        Unavailable: it is not one of `vendor`'s; after a write nobody knows what it did.
    """
    try:
        return model.validate_json(response.content)
    except ValidationError as error:
        is_write = response.request.method not in READS
        raise Unavailable(f"an answer that is not {vendor}'s: {described(error)}", ambiguous=is_write) from error


@contextmanager
def reading_back(what: str) -> Iterator[None]:
    """Read `what` after a write of it. A read that fails now leaves open whether the write happened.

    Raises:
        Unavailable: with `ambiguous` set.
        NotAsWritten: it may not be read.
    """
    try:
        yield
    except Unavailable as error:
        raise Unavailable(
            f"not read back: {error}",
            retry_after_seconds=error.retry_after_seconds,
            ambiguous=True,
            limited=error.limited,
        ) from error
    except Refused as error:
        raise NotAsWritten(f"{what} was written and cannot be read: {error}") from error
