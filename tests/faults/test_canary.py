"""The search for planted secrets finds them in every form, and says where it could see nothing."""

import base64
from pathlib import Path
from urllib.parse import quote

import pytest

from faults import canary
from faults.canary import CHUNK_BYTES, Search, forms
from faults.credentials import PLACES, WITHOUT_LOGINS, Proof, written
from faults.points import STEPS
from faults.saga import POINTS
from patchline.demo.afternoon import Afternoon
from patchline.demo.check import Check
from simulators.breach import PLANTED, breach

SECRET = f"{PLANTED}4f2a9c!Aa"
BREACH = breach(seed=1)


def search() -> Search:
    return Search([PLANTED], word="ana@acme.example")


@pytest.mark.parametrize(
    "written_down",
    [
        SECRET.encode(),
        SECRET.encode().hex().encode(),
        SECRET.encode("utf-16-le"),
        quote(f"https://ana:{SECRET}@portal.example").encode(),
        *(base64.b64encode(b"x" * offset + SECRET.encode() + b"tail") for offset in range(6)),
    ],
)
def test_a_secret_is_found_in_every_form(written_down: bytes) -> None:
    looked = search()
    looked.look("somewhere", b"before " + written_down + b" after")

    assert looked.found["somewhere"] > 0


def test_what_is_no_secret_is_not_found_and_the_control_word_is() -> None:
    looked = search()
    looked.look("somewhere", b"ana@acme.example was reset")

    assert (looked.found.total(), looked.control["somewhere"]) == (0, 1)


def test_every_planted_secret_begins_as_all_do() -> None:
    assert all(secret.startswith(PLANTED) for secret in BREACH.secrets)
    assert all(next(forms(PLANTED)) in secret.encode() for secret in BREACH.secrets)


async def test_files_are_looked_into_across_their_pieces_but_not_those_that_hold_secrets(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "segment").write_bytes(b"." * (CHUNK_BYTES - 3) + SECRET.encode())
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(SECRET)
    looked = search()

    await canary.in_files(looked, tmp_path)

    assert looked.found == {"stored bytes": 1}


def proof(**control: int) -> Proof:
    looked = search()
    looked.control.update(dict.fromkeys(PLACES, 1) | control)
    looked.looked.update(dict.fromkeys(WITHOUT_LOGINS, 1) | control)
    untouched = Check(name="accounts that no machine may touch, or nobody named", expected=0, found=0)
    return Proof(
        after=Afternoon(breach=BREACH),
        checks=[untouched],
        killed=16,
        missed=[],
        search=looked,
        chains={"Acme": "whole"},
    )


def test_a_search_that_saw_nothing_proves_nothing() -> None:
    assert proof().is_good
    assert not proof(topics=0).is_good
    assert written(proof(topics=0), 1)["not_seen"] == ["topics"]


@pytest.mark.parametrize("place", WITHOUT_LOGINS)
def test_where_nobody_is_named_there_must_be_something_to_look_into(place: str) -> None:
    assert written(proof(**{place: 0}), 1)["not_seen"] == [place]


@pytest.mark.parametrize("place", ["topics", "traces", "mails"])
def test_a_secret_anywhere_is_no_proof(place: str) -> None:
    found = proof()
    found.search.look(place, SECRET.encode())

    assert not found.is_good
    assert written(found, 1)["canary_found"] > 0


def test_a_broken_chain_is_no_proof() -> None:
    assert not Proof(
        after=Afternoon(breach=BREACH), checks=proof().checks, killed=16, missed=[], search=proof().search,
        chains={"Acme": "entry 4"},
    ).is_good  # fmt: skip


def test_the_report_has_the_counts_that_were_promised() -> None:
    promised = {
        "cases",
        "resets",
        "refused",
        "awaiting_approval",
        "kills",
        "doubled",
        "protected_reset",
        "canary_found",
    }

    assert promised <= written(proof(), 1).keys()


def test_every_step_of_a_case_is_a_boundary_to_die_at() -> None:
    assert {point.split()[-1] for point in POINTS if point.startswith(("step before", "step after"))} >= set(STEPS)
