"""Keys: theirs alone, worthless without the passphrase, and what is signed says what was decided."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid5

import pytest
from nacl import pwhash

from services.credentials.people import keys
from services.credentials.people.keys import Costs, WrongKey
from tests.builders import ACME, NOON
from tests.credentials.people.test_rules_approvals import REQUEST

CHEAP = Costs(pwhash.argon2id.OPSLIMIT_MIN, pwhash.argon2id.MEMLIMIT_MIN)
PASSPHRASE = "correct horse battery"
ADA = uuid5(ACME, "ada")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "ada.json"
    keys.make(file, PASSPHRASE, CHEAP)
    return file


def test_a_key_signs_what_its_public_key_proves(file: Path) -> None:
    said = keys.statement(REQUEST, ADA, approve=True, decided_at=NOON)

    signature = keys.opened(file, PASSPHRASE).sign(said).signature

    assert keys.is_signed(keys.public_key_in(file), said, signature)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(keys.statement(REQUEST, ADA, approve=False, decided_at=NOON), id="the other decision"),
        pytest.param(keys.statement(REQUEST, ACME, approve=True, decided_at=NOON), id="of somebody else"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_signature_proves_nothing_else(file: Path, other: bytes) -> None:
    said = keys.statement(REQUEST, ADA, approve=True, decided_at=NOON)
    signature = keys.opened(file, PASSPHRASE).sign(said).signature

    assert not keys.is_signed(keys.public_key_in(file), other, signature)
    assert not keys.is_signed(keys.public_key_in(file), said, signature[:-1])


def test_what_is_signed_names_the_question_and_its_end() -> None:
    said = json.loads(keys.statement(REQUEST, ADA, approve=True, decided_at=NOON))

    assert (said["nonce"], said["case"], said["decision"]) == ("n", str(REQUEST.case), "approve")
    assert (said["login"], said["expires_at"]) == ("root@acme.example", "2026-11-10T13:00:00.000000Z")


def test_the_file_is_for_its_owner_alone_and_holds_nothing_in_clear(file: Path) -> None:
    seed = bytes(keys.opened(file, PASSPHRASE))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert PASSPHRASE not in file.read_text()
    assert seed.hex() not in file.read_text()


def test_a_new_key_costs_a_guesser_a_quarter_of_a_gigabyte() -> None:
    assert keys.USUAL.memory_bytes >= 256 * 1024 * 1024


def changed(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: {**content, **fields}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(changed(v=2), "not a key file", id="another version"),
        pytest.param(changed(box=None), "not a key file", id="nothing in it"),
        pytest.param(changed(box="AAAA"), "damaged", id="something else in it"),
        pytest.param(changed(salt="?"), "damaged", id="no salt"),
        pytest.param(changed(memory_bytes=1 << 40), "more work", id="asks for a terabyte"),
        pytest.param(changed(public_key="A" * 43 + "="), "another one", id="somebody else's public key"),
        pytest.param(lambda _content: [], "not a key file", id="a list"),
    ],
)
def test_a_file_that_is_not_one_of_ours_is_refused(
    file: Path, change: Callable[[dict[str, Any]], object], why: str
) -> None:
    file.write_text(json.dumps(change(json.loads(file.read_text()))))

    with pytest.raises(WrongKey, match=why):
        keys.opened(file, PASSPHRASE)


def test_a_wrong_passphrase_a_short_one_and_a_file_that_is_there(file: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongKey, match="the passphrase is wrong"):
        keys.opened(file, "correct horse batterz")
    with pytest.raises(WrongKey, match="at least 12 characters"):
        keys.make(tmp_path / "new.json", "short")
    with pytest.raises(WrongKey, match="File exists"):
        keys.make(file, PASSPHRASE, CHEAP)
    with pytest.raises(WrongKey, match="No such file"):
        keys.opened(tmp_path / "none.json", PASSPHRASE)


@pytest.mark.parametrize("text", ["", "AAAA", "no base64!", "ä" * 44])
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(WrongKey, match="not a public key"):
        keys.public_key_of(text)
