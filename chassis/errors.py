"""The two things that an exception can mean, and what libraries raise when they mean them."""

import ssl
from typing import Final

import asyncpg


class NeverWorks(Exception):
    """Trying again gives the same answer: dead letter, 4xx, or a person."""


class MayWorkLater(Exception):
    """The same thing may succeed in a while: keep it, wait, try again."""


class WrongSetting(NeverWorks):
    """A setting is missing or wrong; the text names it and says what to do."""


class LogNotContinuous(NeverWorks):
    """A Kafka log does not continue where this consumer stopped; the text says which, and where the procedure is."""


BROKEN_DATA: Final = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.exceptions.UntranslatableCharacterError,
)
"""PostgreSQL refused the values themselves (SQLSTATE classes 22 and 23): the same record is refused again."""

TRANSIENT: Final = (
    MayWorkLater,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the next statement gets on a connection that the server ended while it was idle
    OSError,
    TimeoutError,
)
"""Everything else that a database or a network raises. `BROKEN_DATA` is looked at first."""


def may_work_later(error: BaseException) -> bool:
    """Return whether trying the same thing again in a while makes sense."""
    if isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError):
        return False  # asyncpg itself cannot encode the value (a date out of range, a lone surrogate): never will
    return isinstance(error, TRANSIENT) and not isinstance(error, BROKEN_DATA)


def certificate_trouble(error: BaseException | None) -> str:
    """Return what is wrong with the certificate that the other side showed, in OpenSSL's words; empty: nothing is."""
    if error is None or isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message) if error else ""
    return certificate_trouble(error.__cause__ or error.__context__)
