"""The judge opens kept bodies as the gateway does, and takes everything else as it stands."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import asyncpg

from contracts.raw import own_headers
from patchline.demo.evidence import Evidence, evidence
from services.gateway.keys.bodies import Bodies, BodySeal, Destroyed
from services.gateway.keys.data_keys import CurrentKeys
from services.gateway.keys.key_sealing import FILE, FileSealer
from services.gateway.keys.sealing import new_sealing_key, read_sealing_key
from tests.gateway.held import HeldBlobs, HeldKeys, body_key
from tests.parts import ROLE_PASSWORD, Database

SOURCE = "rmm/ninjaone/demo"
OWN = own_headers(str(uuid4()), datetime(2026, 11, 10, tzinfo=UTC), delivery=None, traceparent=None)


async def test_a_body_in_the_local_stack_is_opened_with_its_own_files(database: Database, tmp_path: Path) -> None:
    sealing_key = tmp_path / "sealing.key"
    sealing_key.write_text(new_sealing_key())
    (tmp_path / "gateway_writer").write_text(ROLE_PASSWORD)
    connection = await asyncpg.connect(database.writer("gateway"))
    await connection.execute(
        "INSERT INTO source (source_id, vendor, name, scheme, header_name, added_at) "
        "VALUES ($1, 'ninjaone', 'demo', 'static-header', 'x', now())",
        SOURCE,
    )
    key = await CurrentKeys({FILE: FileSealer(read_sealing_key(sealing_key))}, FILE).of(connection, SOURCE)
    await connection.close()
    settings = {
        "PATCHLINE_OPERATOR_URL": database.operator,
        "PATCHLINE_OPERATOR_PASSWORD_FILE": str(tmp_path / "patchline_operator"),
        "PATCHLINE_SEALING_KEY_FILE": str(sealing_key),
    }

    body = await evidence(settings).body(BodySeal(key, vendor="ninjaone", channel="webhook").record(OWN, b"a body"))

    assert body == b"a body"


async def test_what_is_no_sealed_body_is_taken_as_it_is() -> None:
    gone = body_key(SOURCE)
    judge = Evidence(Bodies(HeldKeys(Destroyed(gone.key_id, SOURCE)), HeldBlobs()))
    destroyed = BodySeal(gone, vendor="ninjaone", channel="webhook").record(OWN, b"a body")

    assert await judge.body(SimpleNamespace(headers=[("ce_id", b"1")], value=b"an event")) == b"an event"
    assert await judge.body(SimpleNamespace(headers=[("key_id", b"plain")], value=b"no raw record")) == b"no raw record"
    assert await judge.body(SimpleNamespace(headers=[], value=None)) == b""
    assert await judge.body(destroyed) == destroyed.value
