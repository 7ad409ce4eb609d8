"""Sealed secrets open for what they were sealed for, and for nothing else."""

import stat
from pathlib import Path

import pytest

from chassis.errors import WrongSetting
from services.gateway.keys.sealing import (
    Purpose,
    SealBroken,
    SealingKey,
    new_sealing_key,
    opened,
    read_sealing_key,
    sealed,
)
from services.gateway.registry.operating import write_secret

KEY = SealingKey(b"k" * 32)
MAIN = "rmm/patchline/main"


def test_a_sealed_secret_opens_again() -> None:
    box = sealed(KEY, b"secret", source_id=MAIN, purpose=Purpose.WEBHOOK)

    assert opened(KEY, box, source_id=MAIN, purpose=Purpose.WEBHOOK) == b"secret"
    assert b"secret" not in box


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    boxes = {sealed(KEY, b"secret", source_id=MAIN, purpose=Purpose.API) for _ in range(3)}

    assert len(boxes) == 3


BOX = sealed(KEY, b"secret", source_id=MAIN, purpose=Purpose.WEBHOOK)


@pytest.mark.parametrize(
    ("key", "box", "source_id", "purpose"),
    [
        pytest.param(SealingKey(b"l" * 32), BOX, MAIN, Purpose.WEBHOOK, id="another key"),
        pytest.param(KEY, BOX, "rmm/patchline/other", Purpose.WEBHOOK, id="another source"),
        pytest.param(KEY, BOX, MAIN, Purpose.API, id="another purpose"),
        pytest.param(KEY, BOX[:-1] + bytes([BOX[-1] ^ 1]), MAIN, Purpose.WEBHOOK, id="one bit changed"),
        pytest.param(KEY, BOX[:20], MAIN, Purpose.WEBHOOK, id="cut off"),
        pytest.param(KEY, b"", MAIN, Purpose.WEBHOOK, id="empty"),
        pytest.param(KEY, b"\x02" + BOX[1:], MAIN, Purpose.WEBHOOK, id="another release"),
    ],
)
def test_it_opens_for_nothing_else(key: SealingKey, box: bytes, source_id: str, purpose: Purpose) -> None:
    with pytest.raises(SealBroken, match=source_id):
        opened(key, box, source_id=source_id, purpose=purpose)


def test_a_new_key_is_one_that_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "sealing.key"
    file.write_text(new_sealing_key() + "\n")

    assert len(read_sealing_key(file)) == 32


@pytest.mark.parametrize("text", ["", "not base64!", "c2hvcnQ="], ids=["empty", "not base64", "too short"])
def test_a_key_file_with_something_else_is_a_wrong_setting(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sealing.key"
    file.write_text(text)

    with pytest.raises(WrongSetting, match="PATCHLINE_SEALING_KEY_FILE"):
        read_sealing_key(file)


def test_a_missing_key_file_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="PATCHLINE_SEALING_KEY_FILE"):
        read_sealing_key(tmp_path / "missing")


def test_a_secret_file_is_its_owners_alone_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "secret"

    write_secret(file, "first")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(SystemExit):
        write_secret(file, "second")
    assert file.read_text() == "first\n"
