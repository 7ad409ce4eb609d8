"""The ticket system of the demo's stack: which one it is, and what it has, whichever it is."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import assert_never

from patchline.demo import connectwise, request_tracker, tracker
from patchline.demo.tracker import Issue
from patchline.local import connectwise as local_connectwise
from patchline.local.psa import Psa


def kind_of(settings: Mapping[str, str]) -> Psa:
    """Return which ticket system a stack has."""
    return Psa(settings["PATCHLINE_TRACKER_KIND"])


def add_companies(settings: Mapping[str, str], names: Iterable[str]) -> None:
    """Add companies to a ticket system that keeps tickets by company: its own people would have them there.

    Raises:
        httpx.HTTPError: it does not answer, or refuses.
    """
    if kind_of(settings) is Psa.CONNECTWISE:
        local_connectwise.add_companies(settings["PATCHLINE_TRACKER_URL"], {name: name for name in names})


async def issues(settings: Mapping[str, str], *, page_rows: int = 100) -> list[Issue]:
    """Return every ticket that carries a key of ours, by number, as the ticket system itself shows it.

    `page_rows` is asked for at once where it gives pages.

    Raises:
        httpx.HTTPError: it does not answer, or refuses.
    """
    url, password = settings["PATCHLINE_TRACKER_URL"], _secret(settings, "PATCHLINE_TRACKER_PASSWORD_FILE")
    match kind_of(settings):
        case Psa.ROUNDUP:
            return await tracker.issues(url, (settings["PATCHLINE_TRACKER_USER"], password))
        case Psa.RT:
            return await request_tracker.issues(url, password, settings["PATCHLINE_RT_QUEUE"], page_rows=page_rows)
        case Psa.CONNECTWISE:
            member = connectwise.Member(
                company=settings["PATCHLINE_CONNECTWISE_COMPANY"],
                public_key=_secret(settings, "PATCHLINE_CONNECTWISE_PUBLIC_KEY_FILE"),
                private_key=password,
                client_id=settings["PATCHLINE_CONNECTWISE_CLIENT_ID"],
            )
            return await connectwise.issues(url, member, page_rows=page_rows)
        case kind:
            assert_never(kind)


def _secret(settings: Mapping[str, str], name: str) -> str:
    return Path(settings[name]).read_text().strip()
