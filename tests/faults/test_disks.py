"""What fills a disk takes all of it, and lies beside what was there."""

from pathlib import Path

import pytest

from faults import disks
from faults.disks import Ballast, mounted

SIZE_BYTES = 1 << 20


@pytest.mark.skipif(bool(disks.hindrance()), reason="no small disk can be mounted here")
def test_a_small_disk_is_full_to_the_last_block_and_has_room_again(tmp_path: Path) -> None:
    with mounted(tmp_path, SIZE_BYTES, like=tmp_path):
        ballast = Ballast(tmp_path / "ballast")

        ballast.up()

        with pytest.raises(OSError, match="No space left"):
            (tmp_path / "one more").write_bytes(bytes(10_000))
        ballast.path.unlink()
        (tmp_path / "one more").write_bytes(bytes(10_000))

    assert list(tmp_path.iterdir()) == []
