"""The door of approval links: a page that changes nothing, and a form that says yes or no.

Programs follow links in mails, to look for viruses: so a GET only shows the page, and the answer is a POST. What goes
on is the token's digest and the answer, never the token. Whether it counts, and only once, credentials decides.
"""

import hashlib
import html
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Final, assert_never
from urllib.parse import parse_qs

from chassis.clock import Clock
from chassis.health import Receive
from contracts import approval
from contracts.approval import Claims
from services.gateway.door import answers
from services.gateway.door.answers import Answer
from services.gateway.door.keeping import Keeping
from services.gateway.door.uploads import Arriving, Gone, Uploads
from services.gateway.door.verification import Verified, VerifiedBody
from services.gateway.registry.sources import Source

PATH: Final = "/approvals"
SETTING: Final = "PATCHLINE_APPROVAL_KEY_FILE"
FORMS: Final = Uploads(largest_bytes=4096, longest_seconds=10.0)
APPROVE: Final = "approve"
REFUSE: Final = "refuse"

_STYLE: Final = (
    "body{font:1rem/1.5 sans-serif;max-width:36rem;margin:3rem auto;padding:0 1rem}"
    "button{font:inherit;padding:.4rem 1rem;margin:0 .5rem 0 0}"
)
_STYLE_HASH: Final = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "cache_control": "no-store",
    "content_security_policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer_policy": "no-referrer",
    "x_content_type_options": "nosniff",
    "x_frame_options": "DENY",
    "x_robots_tag": "noindex",
}


def page(status: int, title: str, content: str) -> Answer:
    """Return a page that loads nothing, runs nothing, is kept by nobody and tells nobody where it was."""
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{title}</h1>{content}</body></html>"
    )
    return answers.answer(status, text.encode(), b"text/html; charset=utf-8", **_HEADERS)


NOT_VALID: Final = page(
    401, "This link is not valid", "<p>It is incomplete, changed or has expired. Nothing was decided.</p>"
)
NOT_SET_UP: Final = page(503, "Approvals cannot be taken now", "<p>Nothing was decided. Try again later.</p>")
NOT_A_FORM: Final = page(400, "Nothing was decided", "<p>Open the link of the mail again and choose a button.</p>")
WRONG_METHOD: Final = answers.problem(405, "Method Not Allowed", "Open the link, or send its form.", allow="GET, POST")
TAKEN: Final = page(
    202,
    "Your answer was taken",
    "<p>It counts if the link was yours, is not used yet and still valid. You can close this page.</p>",
)

Outcome = tuple[str, Answer]
"""What became of a request, for the metrics, and what is answered."""


def asking(token: str, claims: Claims) -> Answer:
    """Return the page with the two buttons."""
    until = f"{claims.expires_at:%Y-%m-%d %H:%M} UTC"
    content = (
        f"<p>Case <strong>{html.escape(claims.case)}</strong>. The mail that brought you here says what it is about. "
        f"The link is valid until {until}.</p>"
        f'<form method="post" action="{PATH}"><input type="hidden" name="token" value="{html.escape(token)}">'
        f'<button name="decision" value="{APPROVE}">Approve</button>'
        f'<button name="decision" value="{REFUSE}">Refuse</button></form>'
    )
    return page(200, "Approve the reset of a password?", content)


class Approvals:
    """Answers those who follow a link."""

    def __init__(self, *, keeping: Keeping, arriving: Arriving, clock: Clock, key: bytes | None) -> None:
        """Believe what `key` signed; without it nothing is believed."""
        self._keeping = keeping
        self._arriving = arriving
        self._clock = clock
        self._key = key

    def shown(self, token: str) -> Outcome:
        """Return the page of a link. Nothing changes by it, however often it is asked for."""
        if self._key is None:
            return "not_set_up", NOT_SET_UP
        claims = self._valid(token, self._clock())
        return ("refused", NOT_VALID) if claims is None else ("shown", asking(token, claims))

    async def answer(self, source: Source | None, headers: Mapping[bytes, bytes], receive: Receive) -> Outcome | Gone:
        """Return what to answer to a form; it is durable before it is called taken."""
        body = await self._arriving.body(headers, receive, FORMS)
        match body:
            case bytes():
                return await self._decided(source, headers, body)
            case Answer():
                return "not_read", body
            case Gone():
                return body
            case _:
                assert_never(body)

    async def _decided(self, source: Source | None, headers: Mapping[bytes, bytes], form: bytes) -> Outcome:
        if self._key is None or source is None:
            return "not_set_up", NOT_SET_UP
        token, decision = _field(form, "token"), _field(form, "decision")
        received = self._clock()
        claims = self._valid(token, received)
        if claims is None:
            return "refused", NOT_VALID
        if decision not in {APPROVE, REFUSE}:
            return "not_a_form", NOT_A_FORM
        digest = approval.digest_of(token)
        said = {"case": claims.case, "token": digest, "approve": decision == APPROVE}
        what = Verified(VerifiedBody(json.dumps(said).encode()), f"{digest}.{decision}")
        kept = await self._keeping.keep(source, what, headers, received)
        return (kept.outcome, TAKEN) if kept.raw_id is not None else (kept.outcome, NOT_SET_UP)

    def _valid(self, token: str, now: datetime) -> Claims | None:
        claims = approval.claims_in(token, self._key or b"")
        return claims if claims is not None and now < claims.expires_at else None


def _field(form: bytes, name: str) -> str:
    """Return the one value of a field; nothing where there is none, or more than one."""
    try:
        values = parse_qs(form.decode("ascii"), max_num_fields=8).get(name, [])
    except ValueError:
        return ""
    return values[0] if len(values) == 1 else ""
