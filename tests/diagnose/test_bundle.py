"""A bundle is whole even where a part is away, and readable by its owner alone."""

import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from patchline.diagnose import bundle
from patchline.diagnose.bundle import Files

AT = datetime(2026, 3, 10, 14, tzinfo=UTC)


async def _away() -> Files:
    raise ConnectionRefusedError("no way to db with 'hunter22'")


async def _here() -> Files:
    return {"here.txt": "a word and hunter22-the-secret\n"}


async def test_a_part_that_cannot_be_had_is_a_note_and_stops_no_other(tmp_path: Path) -> None:
    files, entries = await bundle.collected({"away": _away, "here": _here}, {"hunter22-the-secret"})
    files["manifest.json"] = bundle.manifest(entries, files, AT)
    bundle.write(tmp_path / "b.tar.gz", files, AT)

    assert files["here.txt"] == "a word and (removed)\n"
    assert [(each.part, each.ok) for each in entries] == [("away", False), ("here", True)]
    assert entries[0].note == "ConnectionRefusedError: no way to db with (removed)"
    assert (tmp_path / "b.tar.gz").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        content = archive.extractfile("patchline-diagnose/manifest.json")
        assert content is not None
        told = json.loads(content.read())
    assert told["bytes_by_file"] == {"here.txt": 21}
    assert [each["part"] for each in told["parts"]] == ["away", "here"]
