"""Windows and moments, written short."""

from datetime import UTC, date, datetime, timedelta

from services.compliance.clocks.windows import Fold, Gap, Occurrence, WindowRule, WindowText, occurrences, window_rule

NEW_YORK, BERLIN, SYDNEY, PHOENIX = "America/New_York", "Europe/Berlin", "Australia/Sydney", "America/Phoenix"
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def utc(text: str) -> datetime:
    """Return `2026-03-08 07:00` or `2026-03-08 07:00:01` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(
    zone: str = NEW_YORK,
    *,
    start: str = "02:00",
    lasts: str = "PT4H",
    rule: str | None = "FREQ=WEEKLY;BYDAY=SU",
    plus_days: int | None = None,
    first_on: date | None = None,
    except_on: tuple[date, ...] = (),
    gap: Gap = Gap.FORWARD,
    fold: Fold = Fold.FIRST,
) -> WindowRule:
    """Return a window; ordinarily Sundays at two in New York, for four hours."""
    return window_rule(
        WindowText(
            name="weekly",
            zone=zone,
            start=start,
            lasts=lasts,
            rule=rule,
            patch_tuesday_plus_days=plus_days,
            first_on=first_on,
            except_on=except_on,
            gap=gap,
            fold=fold,
        )
    )


def around(rule: WindowRule, day: str, *, days: int = 1) -> list[Occurrence]:
    """Return the windows that start within `days` after midnight UTC of a day."""
    return list(occurrences(rule, utc(day), utc(day) + days * DAY))


def starts(rule: WindowRule, day: str, *, days: int = 1) -> list[str]:
    """Return when those start, in UTC."""
    return [f"{each.start:%Y-%m-%d %H:%M}" for each in around(rule, day, days=days)]
