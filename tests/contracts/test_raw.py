"""A raw record is read whole or refused: a moment that cannot be compared with others is no moment."""

import pytest

from contracts import raw
from contracts.errors import UndecodableEvent
from tests.builders import delivery


@pytest.mark.parametrize("received", ["2026-11-22T10:00:00", "2026-11-22", "yesterday", ""])
def test_a_record_whose_moment_has_no_zone_is_refused(received: str) -> None:
    headers = [*raw.headers_of(delivery(b"{}")), ("received", received.encode())]

    with pytest.raises(UndecodableEvent, match=r"received|headers"):
        raw.delivery_of(headers, b"{}")
