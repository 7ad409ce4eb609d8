"""Redaction with the gateway's key: a feed's body goes in, what may be kept comes out. Doors and pollers share it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from chassis.errors import WrongSetting
from services.gateway.exposures import rules_feeds, rules_reduce
from services.gateway.exposures.fingerprint import FingerprintKey, fingerprint, read_fingerprint_key
from services.gateway.exposures.rules_feeds import Declared
from services.gateway.exposures.rules_reduce import FeedRules

IN_A_THREAD_FROM_BYTES: Final = 32_768
"""A larger body is reduced beside the event loop: nobody else's delivery waits for it."""


@dataclass(frozen=True, slots=True)
class Redacted:
    """What may be kept of a body, how many records it holds, and how many of the feed's could not be read."""

    body: bytes
    records: int
    unread: int


class Redaction:
    """Redacts bodies of feeds. One per process."""

    def __init__(self, key: FingerprintKey, rules: Mapping[str, FeedRules] = rules_feeds.RULES) -> None:
        """Fingerprint with `key`; read each feed by its `rules`."""
        self._fingerprint = partial(fingerprint, key)
        self._rules = rules

    def redacted(self, feed: str, body: bytes) -> Redacted:
        """Return what may be kept of `body`.

        Raises:
            NotReadable: it is none of the feed's: seal it to the offline key, or give it up.
        """
        what = rules_reduce.reduced(rules_feeds.rules_of(feed, self._rules), body, self._fingerprint)
        return Redacted(rules_reduce.written(feed, what), len(what.records), what.unread)

    async def redacted_beside(self, feed: str, body: bytes) -> Redacted:
        """Return the same, and let others work while a large body is read.

        Raises:
            NotReadable: see `redacted`.
        """
        if len(body) < IN_A_THREAD_FROM_BYTES:
            return self.redacted(feed, body)
        return await asyncio.to_thread(self.redacted, feed, body)


def redaction_of(key_file: Path | None, declared: Declared) -> Redaction | None:
    """Return the redaction that the settings describe; `None`: there is no key, so no feed can be taken.

    Raises:
        WrongSetting: the key file or the declared fields are none that can be.
    """
    try:
        rules = rules_feeds.with_declared(declared)
    except ValueError as error:
        raise WrongSetting(f"PATCHLINE_EXPOSURE_FIELDS: {error}") from error
    return None if key_file is None else Redaction(read_fingerprint_key(key_file), rules)
