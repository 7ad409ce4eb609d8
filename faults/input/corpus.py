"""Ugly bodies that somebody wrote on purpose: each is known to have brought down some reader of JSON, XML or YAML."""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final

ZEROS: Final = 64 * 1024 * 1024
"""What a bomb unpacks to: sixteen times the most that anything here may be."""

VALUES: Final[tuple[object, ...]] = (
    None,
    True,
    "",
    "\0",
    "a\0b",
    "\ud800",
    "before \udfff after",
    "\u202edrawkcab\u2066",
    "\N{FIRECRACKER}" * 2000,
    "a" * 50_000,
    "../../../../etc/passwd",
    "'; DROP TABLE outbox; --",
    "%s%n{0.__class__}${jndi:ldap://x}",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
    "2026-02-30T25:61:61Z",
    "2026-11-22T10:00:00",
    "KB" + "0" * 5000,
    "1." * 3000,
    " " * 30_000 + "x",
    "P999999999999Y",
    "FREQ=SECONDLY;COUNT=999999999",
    "CVSS:3.1/" + "AV:N/" * 3000,
    -1,
    0,
    2**31,
    2**63,
    -(2**64),
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[[[[[]]]]]],
    {"": {"\0": {"\ud800": None}}},
    list(range(2000)),
)
"""What is put where something else belongs: of another type, too long, too large, of no calendar, of no text."""


@cache
def bodies(most_bytes: int) -> Mapping[str, bytes]:
    """Return whole bodies by what is wrong with them; those that grow with the limit have `most_bytes` at most."""
    return dict(
        (*_short(), *_packed(), *((name, body[:most_bytes]) for name, body in _large(most_bytes))),
    )


def object_of(keys: int) -> bytes:
    """Return a JSON object with so many different keys."""
    return b"{" + b",".join(b'"%x":0' % number for number in range(keys)) + b"}"


def _short() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    yield "white space", b" \t\r\n" * 100
    yield "a mark of byte order alone", b"\xef\xbb\xbf"
    yield "UTF-16", '{"type": "device.seen"}'.encode("utf-16")
    yield "no UTF-8", b'{"type": "\xff\xfe\xc0\x80"}'
    yield "NULs", b"\0" * 4096
    yield "every byte", bytes(range(256)) * 16
    yield "a lone surrogate", b'{"type": "\\ud800", "\\udfff": "\\ud83d"}'
    yield "an escaped NUL", b'{"type": "\\u0000", "\\u0000": "\\u0000", "data": {"device": "\\u0000"}}'
    yield "one field twice", b'{"type": "a", "type": "b", "data": {}, "data": null}'
    yield "not a number", b'{"type": NaN, "timestamp": Infinity, "data": -Infinity}'
    for text in (b"null", b"true", b"0", b'""', b"[]", b"{}", b"[null]", b"[{}]", b"[[]]", b'{"value": [null]}'):
        yield f"only {text.decode()}", text
    yield "an entity of an entity", _entities()
    yield (
        "an entity of a file",
        b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><REQUEST><DEVICEID>&b;</DEVICEID></REQUEST>',
    )
    yield "an alias of an alias", _aliases()
    yield "a tag of Python", b'client: !!python/object/apply:os.system ["true"]\n'
    yield "a field that merges", b"client: &a {x: 1}\nsla: {<<: *a}\n"


def _large(most: int) -> Iterator[tuple[str, bytes]]:
    yield "lists in lists", b"[" * most
    yield "closed lists in lists", b"[" * (most // 2) + b"]" * (most // 2)
    yield "lists in lists, not so deep", b"[" * 150 + b"]" * 150
    yield "objects in objects", b'{"data":' * (most // 8)
    yield "closed objects in objects", b'{"data":' * (most // 9) + b"0" + b"}" * (most // 9)
    yield "tags in tags", b"<REQUEST>" + b"<a>" * (most // 8)
    yield "closed tags in tags", b"<REQUEST>" + b"<a>" * (most // 8) + b"</a>" * (most // 8) + b"</REQUEST>"
    yield "a tag of many attributes", b"<REQUEST " + b" ".join(b'a%x=""' % n for n in range(most // 12)) + b"/>"
    yield "as many keys as fit", object_of(most // 10)
    yield "the same key as often as fits", b"{" + b'"data":0,' * (most // 9 - 1) + b'"data":0}'
    yield "one long name above many", _long_name(most)
    yield "one long text", b'{"type": "' + b"x" * (most - 20) + b'"}'
    yield "a text without an end", b'{"type": "' + b"\\" * (most - 20)
    yield "a number of many digits", b'{"type": ' + b"9" * (most - 20) + b"}"
    yield "a fraction of many digits", b'{"type": 0.' + b"9" * (most - 20) + b"}"
    yield "as many empty records as fit", b'{"value": [' + b"{}," * (most // 3 - 10) + b"{}]}"
    yield "flow in flow", b"client: " + b"[" * (most - 10)
    yield "maps in maps", b"client:\n" + b"".join(b" " * n + b"a:\n" for n in range(min(300, most)))
    yield "a field without its quote", b'product,version,released_at\n"' + b"x\n" * (most // 2 - 20)
    yield "a line of many fields", b"," * most
    yield "a trap for expressions", b"a" * (most // 2) + b"!" * (most // 2)
    yield "a trap of spaces", b"<QUERY>" + b" " * (most - 20) + b"x"


@cache
def _packed() -> tuple[tuple[str, bytes], ...]:
    return tuple(_bombs())


def _bombs() -> Iterator[tuple[str, bytes]]:
    plain = b"\0" * ZEROS
    bomb = gzip.compress(plain, 9)
    yield "a bomb in gzip", bomb
    yield "a bomb in zlib", zlib.compress(plain, 9)
    yield "a bomb in a bomb", gzip.compress(bomb, 9)
    yield "a bomb of keys", gzip.compress(object_of(2_000_000), 6)
    yield "a bomb of tags", gzip.compress(b"<REQUEST>" + b"<a>" * 8_000_000, 6)
    yield "packed and cut off", bomb[: len(bomb) // 2]
    yield "packed and then more", gzip.compress(b"{}") + b"more"
    yield "packed by name only", b"\x1f\x8b\x08" + b"\xff" * 500
    yield "a broken zlib", b"\x78\x9c" + b"\xff" * 500


def _entities() -> bytes:
    """Return the document whose entities, written out, would be as many as there are stars."""
    declared = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
    return b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "x">' + declared + b"]><REQUEST><a>&a9;</a></REQUEST>"


def _aliases() -> bytes:
    lines = [b"a0: &a0 [x, x]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 10)]
    return b"\n".join(lines)


def _long_name(most: int) -> bytes:
    """Return an object below one name of half the size: who joins names into paths copies that for each key."""
    return b'{"value": [{"' + b"n" * (most // 2) + b'": ' + object_of(most // 24) + b"}]}"
