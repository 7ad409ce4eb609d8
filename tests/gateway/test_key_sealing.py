"""Data keys wrapped by a sealing key from a file, by an exchanged one, and by what the settings name."""

from pathlib import Path
from typing import Any

import pytest

from services.gateway.adapters.s3_blobs import S3Blobs
from services.gateway.keys.key_sealing import FILE, VAULT, FileSealer, KeyUnavailable
from services.gateway.keys.safe import connected, key_sealers, opened_safe
from services.gateway.keys.sealing import Purpose, SealBroken, SealingKey, new_sealing_key, opened
from services.gateway.keys.store_blobs import PostgresBlobs
from services.gateway.settings import GatewaySettings, SealingSettings

OLD, NEW = SealingKey(b"o" * 32), SealingKey(b"n" * 32)
KEY = bytes(range(32))
MAIN = "rmm/ninjaone/main"


async def test_what_an_exchanged_sealing_key_wrapped_still_unwraps_and_new_keys_are_wrapped_with_the_new_one() -> None:
    before = await FileSealer(OLD).wrap(KEY, source_id=MAIN, key_id="k")
    both = FileSealer(NEW, OLD)
    after = await both.wrap(KEY, source_id=MAIN, key_id="k")

    assert await both.unwrap(before, source_id=MAIN, key_id="k") == KEY
    assert await FileSealer(NEW).unwrap(after, source_id=MAIN, key_id="k") == KEY


@pytest.mark.parametrize(
    ("source_id", "key_id"),
    [pytest.param("rmm/ninjaone/other", "k", id="another source"), pytest.param(MAIN, "l", id="another key id")],
)
async def test_a_wrapped_key_unwraps_for_its_own_source_and_id_only(source_id: str, key_id: str) -> None:
    box = await FileSealer(OLD).wrap(KEY, source_id=MAIN, key_id="k")

    with pytest.raises(KeyUnavailable):
        await FileSealer(OLD).unwrap(box, source_id=source_id, key_id=key_id)


async def test_a_wrapped_data_key_is_no_secret_of_a_webhook() -> None:
    box = await FileSealer(OLD).wrap(KEY, source_id=MAIN, key_id="k")

    with pytest.raises(SealBroken):
        opened(OLD, box, source_id=f"{MAIN}#k", purpose=Purpose.WEBHOOK)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    names = {name: tmp_path / name for name in ("sealing.key", "old.key", "token", "s3")}
    for file in names.values():
        file.write_text(new_sealing_key())
    return names


async def test_settings_name_what_wraps_and_what_only_unwraps(files: dict[str, Path]) -> None:
    by_file = SealingSettings(sealing_key_file=files["sealing.key"], old_sealing_key_files=[files["old.key"]])
    by_vault = SealingSettings(
        sealing_key_file=files["sealing.key"],
        key_sealer="vault",
        vault_url="https://vault.example",
        vault_token_file=files["token"],
    )

    async with key_sealers(by_file) as one, key_sealers(by_vault) as other:
        assert set(one) == {FILE}
        assert set(other) == {FILE, VAULT}


async def test_settings_name_the_blob_store(files: dict[str, Path]) -> None:
    common: Any = {"database_url": "postgresql://r@h/d", "sealing_key_file": files["sealing.key"]}
    in_s3: Any = {"s3_url": "https://s3.example", "s3_bucket": "bodies", "s3_secret_key_file": files["s3"]}

    async with (
        opened_safe(GatewaySettings(**common), lambda: connected("")) as one,
        opened_safe(GatewaySettings(**common, **in_s3, blob_store="s3"), lambda: connected("")) as other,
    ):
        assert isinstance(one.blobs, PostgresBlobs)
        assert isinstance(other.blobs, S3Blobs)
