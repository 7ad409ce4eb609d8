"""Draws the way of the worst release: from its instant through windows and restart to its proof, beside the deadline.

One layout for the terminal and for SVG. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from html import escape
from typing import Final

from services.compliance.clocks.durations import spelled
from services.compliance.policies.rules_feasible import Measure, Proof, Verdict
from services.compliance.policies.rules_words import duration_in_words, wall_moment

COLUMNS: Final = 48
WIDTH: Final = 960
_WHEN: Final = 284
_LABELS: Final = 466
_ROW: Final = 24
_GAP: Final = 22
_TEXT: Final = "#1f2933"
_IN_TIME: Final = "#2f855a"
_LATE: Final = "#c53030"


@dataclass(frozen=True, slots=True)
class Row:
    """One moment of the way. `place`: 0 is the release, 1 the last moment that is drawn."""

    what: str
    when: str
    place: float
    is_deadline: bool


@dataclass(frozen=True, slots=True)
class Drawing:
    """One way. `due`: the place of the deadline; `rows` in the order of time."""

    title: str
    rows: tuple[Row, ...]
    due: float


def drawing(proof: Proof, zone: tzinfo) -> Drawing:
    """Return the way of the release that is worst for `proof`, on the wall of `zone`."""
    worst = proof.worst
    points: list[tuple[datetime, str, bool]] = [(worst.released_at, "released", False)]
    points += [(moment.at, moment.what, False) for moment in worst.moments]
    points.append((worst.due_at, "due", True))
    points.sort(key=lambda point: point[0])
    whole = (points[-1][0] - worst.released_at) or timedelta(seconds=1)
    rows = [
        Row(what, wall_moment(at, zone), (at - worst.released_at) / whole, is_deadline)
        for at, what, is_deadline in points
    ]
    return Drawing(title(proof), tuple(rows), (worst.due_at - worst.released_at) / whole)


def title(proof: Proof) -> str:
    """Return what the proof is about and what came out, in one line."""
    within = "no clock" if proof.cell.rule.within is None else spelled(proof.cell.rule.within)
    rings = ", after every ring" if proof.with_rings else ""
    measure = "sent" if proof.measure is Measure.DEPLOYMENT else "verified after the restart"
    bands = "/".join(each.value for each in proof.cell.severities)
    return f"{proof.cell.tier.value} · {bands} · {within} · {measure}{rings}: {outcome(proof)}"


def outcome(proof: Proof) -> str:
    """Return what came out, in words."""
    late = proof.worst.late
    if late is None:
        return f"never ({proof.worst.never})"
    if late > timedelta(0):
        return f"{duration_in_words(late)} too late"
    spare = f"{duration_in_words(-late)} to spare"
    return f"met, {spare}" if proof.verdict is Verdict.MET else f"met if people act, {spare}"


def in_text(drawn: Drawing) -> Iterator[str]:
    """Yield the lines for a terminal: the deadline is `◆`, what comes after it is drawn double."""
    yield drawn.title
    widest = max(len(row.what) for row in drawn.rows)
    due = round(drawn.due * COLUMNS)
    for row in drawn.rows:
        place = round(row.place * COLUMNS)
        line = "".join("═" if column > due else "─" for column in range(place))
        if not row.is_deadline and place > due:
            line = f"{line[:due]}┊{line[due + 1 :]}"
        yield f"  {row.what:<{widest}}  {row.when:<24} {line}{'◆' if row.is_deadline else '●'}"


def in_svg(drawn: Sequence[Drawing]) -> str:
    """Return the ways below each other as one SVG picture; it needs nothing from elsewhere."""
    parts: list[str] = []
    top = _GAP
    for each in drawn:
        parts += _panel(each, top)
        top += _ROW * (len(each.rows) + 1) + _GAP
    described = escape("; ".join(each.title for each in drawn))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"',
            'font-family="ui-monospace, monospace" font-size="12" role="img">',
            f"<title>{described}</title>",
            f'<rect width="{WIDTH}" height="{top}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(drawn: Drawing, top: int) -> Iterator[str]:
    due_x = _x(drawn.due)
    bottom = top + _ROW * len(drawn.rows)
    yield f'<text x="16" y="{top}" font-weight="bold" fill="{_TEXT}">{escape(drawn.title)}</text>'
    yield (
        f'<line x1="{due_x:.1f}" y1="{top + 8}" x2="{due_x:.1f}" y2="{bottom + 6}" '
        f'stroke="{_LATE}" stroke-dasharray="3 3"/>'
    )
    for place, row in enumerate(drawn.rows):
        y = top + _ROW * (place + 1) - 4
        end, colour = _x(row.place), _LATE if row.is_deadline or row.place > drawn.due else _IN_TIME
        yield f'<text x="16" y="{y + 4}" fill="{_TEXT}">{escape(row.what)}</text>'
        yield f'<text x="{_WHEN}" y="{y + 4}" fill="{_TEXT}">{escape(row.when)}</text>'
        yield (
            f'<line x1="{_LABELS}" y1="{y}" x2="{min(end, max(due_x, _LABELS)):.1f}" y2="{y}" '
            f'stroke="{_IN_TIME}" stroke-width="3"/>'
        )
        if row.place > drawn.due:
            yield f'<line x1="{due_x:.1f}" y1="{y}" x2="{end:.1f}" y2="{y}" stroke="{_LATE}" stroke-width="3"/>'
        yield f'<circle cx="{end:.1f}" cy="{y}" r="5" fill="{colour}"/>'


def _x(place: float) -> float:
    return _LABELS + place * (WIDTH - _LABELS - 24)
