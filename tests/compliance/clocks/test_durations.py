"""Durations: what is read, and what is refused because it would mean two things."""

from datetime import timedelta

import pytest

from services.compliance.clocks.durations import MalformedDuration, exact, spelled, term, written
from services.compliance.policy import Days, Hours, Months, Term


@pytest.mark.parametrize(
    ("text", "kept", "again", "words"),
    [
        ("PT24H", Hours(24), "PT24H", "24 hours"),
        ("PT1H", Hours(1), "PT1H", "1 hour"),
        ("PT120M", Hours(2), "PT2H", "2 hours"),
        ("P1D", Days(1), "P1D", "1 day"),
        ("P2W", Days(14), "P14D", "14 days"),
        ("P1W2D", Days(9), "P9D", "9 days"),
        ("P1M", Months(1), "P1M", "1 month"),
        ("P1Y", Months(12), "P12M", "12 months"),
        ("P1Y6M", Months(18), "P18M", "18 months"),
    ],
)
def test_a_term_is_read_and_written(text: str, kept: Term, again: str, words: str) -> None:
    assert (term(text), written(kept), spelled(kept)) == (kept, again, words)
    assert term(again) == kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("P1DT12H", "mixes exact hours with days"),
        ("P1M2D", "mixes months with days"),
        ("P1Y1W", "mixes months with days"),
        ("PT90M", "whole hours"),
        ("PT30S", "whole hours"),
        ("P0D", "too short"),
        ("PT0H", "too short"),
        ("P9999D", "too long"),
        ("P", "ISO 8601"),
        ("PT", "ISO 8601"),
        ("", "ISO 8601"),
        ("-P1D", "ISO 8601"),
        ("P1.5D", "ISO 8601"),
        ("P1D2W", "ISO 8601"),
        ("24h", "ISO 8601"),
        ("pt24h", "ISO 8601"),
        ("PT24H ", "ISO 8601"),
        ("P\u0661D", "ISO 8601"),
        ("P9999999Y", "too long"),
        ("P9999999W", "too long"),
        ("PT9999999H", "too long"),
        (f"P{'9' * 20}D", "ISO 8601"),
        (f"PT{'9' * 20}H", "ISO 8601"),
        (f"P{'9' * 5000}M", "ISO 8601"),
    ],
)
def test_what_is_no_term_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(MalformedDuration, match=why):
        term(text)


def test_an_exact_length_has_no_days() -> None:
    assert exact("PT1H30M") == timedelta(minutes=90)
    assert exact("PT36H") == timedelta(hours=36)
    for text in ("P1D", "P1DT1H", "P1M", "90m", "P"):
        with pytest.raises(MalformedDuration):
            exact(text)
