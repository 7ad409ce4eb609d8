"""Credentials that were found exposed, and what people decided about it. Producer: gateway; consumer: credentials.

Topic: `exposures`. No secret is in any of them: the gateway took it out at the door and left a keyed fingerprint.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from contracts.events.event import Event, Method, Moment, Name


class SecretForm(StrEnum):
    """In which form the secret was exposed. `NONE`: the feed names an account, and no secret of it."""

    PLAINTEXT = "plaintext"
    CRACKABLE = "crackable"
    HASHED = "hashed"
    SESSION = "session"
    NONE = "none"
    UNKNOWN = "unknown"


class ExposureOrigin(StrEnum):
    """Where the feed says that it comes from. `COMBOLIST`: old breaches, put together again."""

    BREACH = "breach"
    STEALER_LOG = "stealer_log"
    COMBOLIST = "combolist"
    RISK_DETECTION = "risk_detection"
    UNKNOWN = "unknown"


class ExposureFound(Event):
    """A feed says that a credential of `login` is in other hands.

    `login` is lower-case NFKC, `domain` the part behind its `@`, if it has one. `user` is the directory's immutable id,
    where the feed knows it. `document` is the feed's id of the record, `breach` the name of what it was found in.
    `fingerprint` is HMAC-SHA256, in hex, over the normalised login and the secret, with the gateway's key. `named` is
    how many different logins the delivery names: one that names ten thousand is not acted on one by one.
    """

    TYPE: ClassVar[str] = "exposure.found.v1"
    feed: Name
    method: Method
    login: Name
    domain: Name | None = None
    user: Name | None = None
    organisation: Name | None = None
    document: Name | None = None
    breach: Name | None = None
    origin: ExposureOrigin = ExposureOrigin.UNKNOWN
    form: SecretForm = SecretForm.UNKNOWN
    fingerprint: Name | None = None
    exposed_at: Moment | None = None
    published_at: Moment | None = None
    target: Name | None = None
    device: Name | None = None
    doubtful: bool = False
    named: int = Field(default=1, ge=1)


class ApprovalGiven(Event):
    """A person followed a signed link and decided about a case. It counts once, and only as long as it is valid.

    `token` is the SHA-256, in hex, of the link's token: credentials alone knows which it gave to whom, for which case.
    """

    TYPE: ClassVar[str] = "approval.given.v1"
    case: Name
    token: Name
    approve: bool
