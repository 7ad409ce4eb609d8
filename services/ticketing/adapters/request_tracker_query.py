"""Questions in Request Tracker's own languages, TicketSQL and TransactionSQL: nothing we ask for can become a command.

Source: RT 5.0, `lib/RT/SQL.pm`: a literal stands in quotes and a backslash takes the next character as it is. A literal
that begins with `CF.` is read as a column all the same, `__CurrentUser__` and the like as something else, and an empty
one or `NULL` as "not set": none of these can be looked for, so they are refused.
"""

import re
from datetime import datetime, timedelta
from typing import Final

from chassis.errors import NeverWorks

KEY_BEGINS: Final = "pl-"
"""Every ticket key begins so. Source: `contracts.ids.ticket_key`."""

ZONES: Final = timedelta(days=1)
"""RT reads a moment in the zone of the one who asks: a day earlier is earlier in every zone."""

_FIELD: Final = re.compile(r"\w[\w \-]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NO_LITERAL: Final = re.compile(r"(CF\.|__).*|NULL|", re.IGNORECASE | re.DOTALL)


class CannotBeAsked(NeverWorks):
    """RT would read this text as something else than text."""


def literal(text: str) -> str:
    r"""Return `text` in quotes.

    Raises:
        CannotBeAsked: RT has no literal for it.
    """
    if _CONTROL.search(text) or _NO_LITERAL.fullmatch(text):
        raise CannotBeAsked(f"{text[:80]!r} cannot be looked for in Request Tracker")
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def field(name: str) -> str:
    """Return a custom field as a column.

    Raises:
        CannotBeAsked: its name has other characters than letters, digits, spaces, `_` and `-`.
    """
    if not _FIELD.fullmatch(name):
        raise CannotBeAsked(f"{name[:80]!r} is no custom field that can be searched")
    return f"CF.{{{name}}}"


def with_key(key_field: str, key: str) -> str:
    """Ask for the tickets with our `key`, in whatever queue a person has put them since."""
    return f"{field(key_field)} = {literal(key)}"


def marked(key_field: str, changed_since: datetime | None) -> str:
    """Ask for the tickets with a key like ours: the open ones, or those that changed since then, or a day before."""
    lately = "Status = '__Active__'"
    if changed_since is not None:
        lately = f"LastUpdated > '{changed_since - ZONES:%Y-%m-%d %H:%M:%S}'"
    return f"{field(key_field)} STARTSWITH {literal(KEY_BEGINS)} AND {lately}"


def ours_on(number: str) -> str:
    """Ask for what our user said on a ticket, and for the statuses that anyone set."""
    return f"{_of(number)} AND (Type = 'Status' OR (Creator = '__CurrentUser__' AND ({_said()})))"


def own_on(number: str) -> str:
    """Ask for all that our user said on a ticket, its first words included."""
    return f"{_of(number)} AND Creator = '__CurrentUser__' AND ({_said()} OR Type = 'Create')"


def others_on(number: str) -> str:
    """Ask for what anyone else said on a ticket, its first words included."""
    return f"{_of(number)} AND Creator != '__CurrentUser__' AND ({_said()} OR Type = 'Create')"


def _of(number: str) -> str:
    return f"ObjectType = 'RT::Ticket' AND ObjectId = {int(number)}"


def _said() -> str:
    return "Type = 'Comment' OR Type = 'Correspond'"
