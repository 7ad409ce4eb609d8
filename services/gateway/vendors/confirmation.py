"""How we know what a vendor sends: from a body that was captured, from its schema, or from its documentation alone."""

from dataclasses import dataclass
from enum import StrEnum


class Basis(StrEnum):
    """What an adapter was built and checked against, best first."""

    OWN_FORMAT = "our own format"
    CAPTURED_BODY = "captured body"
    VENDOR_SCHEMA = "vendor schema"
    DOCUMENTATION = "documentation only"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How one adapter was confirmed: `by` what, `source` that a reader can look up, and what is still unconfirmed."""

    by: Basis
    source: str
    unconfirmed: tuple[str, ...] = ()
