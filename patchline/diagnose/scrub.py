"""What never leaves in a bundle: secrets by shape and by value, and words that a payload may stand in. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

REMOVED: Final = "(removed)"
SHORTEST_SECRET: Final = 8
"""A shorter value is no secret of ours, and removing it would take half the text along."""

_SHAPES: Final = (
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(-----END [A-Z ]+-----|\Z)", re.DOTALL),
    re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"),
    re.compile(r"\bv1a?,[A-Za-z0-9+/=_-]{16,}"),  # a signature of Standard Webhooks
    re.compile(r"\b(?:bearer|basic|token|digest|ssws)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE),
    re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"),  # with two parts: of an approval's link
    re.compile(r"(?<![\w.+/-])[\w.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),  # who somebody is
    re.compile(r"(?<=://)[^/\s@'\"]+@"),
    re.compile(r"\b[A-Fa-f0-9]{40,}\b"),
    re.compile(r"(?<![A-Za-z0-9+/_=-])(?=[A-Za-z0-9+/_-]*[A-Z])(?=[A-Za-z0-9+/_-]*[0-9])[A-Za-z0-9+/_-]{40,}={0,2}"),
)
_NAMED: Final = re.compile(
    r"[a-z_-]*(?:pass(?:word|wd|phrase)|secret|token|(?:api|private)[_-]?key|authorization|signature|cookie)[a-z_-]*"
    r"[\"']?\s*[=:]\s*[\"']?[^\s\"',;}]+",
    re.IGNORECASE,
)
_QUOTED: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\{.*\}|\[.*\]", re.DOTALL)
_FRAME: Final = re.compile(r'^ +File "[^"]+", line \d+, in \S+$|^Traceback \(most recent call last\):$')
_RAISED: Final = re.compile(
    r"^(?:\s*[|+-]*\s*)([A-Za-z_][\w.]*(?:Error|Exception|Group|Interrupt|Exit|[A-Z]\w+))(?::.*)?$"
)

KEPT_FIELDS: Final = frozenset(
    {
        "at",
        "level",
        "logger",
        "message",
        "group",
        "topic",
        "partition",
        "offset",
        "seconds",
        "waits_seconds",
        "shards",
        "events",
        "deliveries",
        "vendor",
        "source",
        "missing",
        "equation",
        "batches",
        "records",
        "rows",
        "attempts",
        "outcome",
        "outcomes",
        "kind",
        "port",
        "version",
        "lane",
    }
)
"""Fields of a log line that are numbers or names of ours. What others may hold is not known, so they stay here."""

_SENTENCES: Final = frozenset({"message", "reason"})


def text(value: str, secrets: Collection[str]) -> str:
    """Return `value` without anything that is a secret or looks like one."""
    for secret in sorted((each for each in secrets if len(each) >= SHORTEST_SECRET), key=len, reverse=True):
        value = value.replace(secret, REMOVED)
    for shape in _SHAPES:
        value = shape.sub(REMOVED, value)
    return value


def sentence(value: str, secrets: Collection[str]) -> str:
    """Return an error's sentence without what it quotes or names a secret: that may be a part of a payload."""
    return text(_NAMED.sub(REMOVED, _QUOTED.sub(REMOVED, value)), secrets)[:300]


def log_line(line: str, secrets: Collection[str]) -> str:
    """Return one line of a process's log with the fields known to be harmless; any other line as a sentence."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return sentence(line.rstrip("\n"), secrets)
    kept: dict[str, object] = {}
    for name, value in found.items():
        if name in _SENTENCES:
            kept[name] = sentence(str(value), secrets)
        elif name == "error":
            kept[name] = traceback(str(value))
        elif name in KEPT_FIELDS:
            kept[name] = value if isinstance(value, int | float) else text(json.dumps(value)[:200], secrets).strip('"')
        else:
            kept[name] = REMOVED
    return json.dumps(kept)


def traceback(value: str) -> str:
    """Return where an error came from and its class, without its words and without source lines."""
    lines = []
    for line in value.splitlines():
        if _FRAME.match(line):
            lines.append(line)
        elif raised := _RAISED.match(line):
            lines.append(raised[1])
    return "\n".join(lines)


def url(value: str) -> str:
    """Return scheme, host, port and path of a URL: no user, no password, no query."""
    parts = urlsplit(value)
    where = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{where}{parts.path}"


_SHOWN: Final = re.compile(
    r"^PATCHLINE_(?:KAFKA|ENVIRONMENT|LOG_LEVEL|LANES|[A-Z_]*(?:_PORT|_HOST|_SECONDS|_RECORDS|_HOURS|_SIZE|_RATIO))$"
)


def settings(values: Mapping[str, str]) -> dict[str, str]:
    """Return settings by name: numbers and hosts as they are, URLs without users, of files the name, else "(set)"."""
    shown: dict[str, str] = {}
    for name, value in sorted(values.items()):
        if not name.startswith("PATCHLINE_"):
            continue
        if name.endswith(("_FILE", "_HOME", "_DIR")):
            shown[name] = f"…/{value.rstrip('/').rpartition('/')[2]}"
        elif name.endswith("_URL"):
            shown[name] = url(value)
        else:
            shown[name] = value if _SHOWN.match(name) else "(set)"
    return shown


def statement(value: str) -> str:
    """Return an SQL statement without its values."""
    return re.sub(r"'(?:[^']|'')*'|\b\d+\b|\$\w*\$.*?\$\w*\$", "?", value, flags=re.DOTALL)[:400]
