"""What never leaves in a bundle, whatever stands around it."""

import json

import pytest

from patchline.diagnose import scrub

KNOWN = "correct horse battery staple"
SECRETS = {KNOWN, "short"}

REMOVED_TEXTS = {
    "a value that this machine knows": (f"login with {KNOWN} failed", KNOWN),
    "a webhook secret": ("signed with whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "C2FVsBQ"),
    "a webhook signature": ("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=", "K5oZfzN"),
    "a bearer token": ("Authorization was Bearer abcdef0123456789", "abcdef0123456789"),
    "a token of three parts": ("got eyJhbGciOi.eyJzdWIiOiIx.SflKxwRJSM", "SflKxwRJSM"),
    "a password in a URL": ("postgresql://writer:hunter22@db:5432/patchline", "hunter22"),
    "a key in armour": ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----", "MIIEvQ"),
    "the token of an approval's link": ("GET /approvals/eyJ2IjoxfQ.abcdefghij", "abcdefghij"),
    "an API token of Okta": ("Authorization was SSWS 00abcDEF1234", "00abcDEF1234"),
    "a person": ("no mailbox petra.klein@acme.example here", "petra.klein"),
    "a long number": ("digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c", "9f86d081"),
    "a long key": ("key Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4MTIz", "Zm9vYmFy"),
}


@pytest.mark.parametrize(("text", "secret"), REMOVED_TEXTS.values(), ids=REMOVED_TEXTS.keys())
def test_a_secret_is_taken_out_of_any_text(text: str, secret: str) -> None:
    assert secret in text

    assert secret not in scrub.text(text, SECRETS)


@pytest.mark.parametrize(
    "text",
    [
        "018f3c5e-7c4a-7c3e-9f11-2b7a1c9d4e5f",
        "00-f4d9977d2dad4ffc9c929180fed2bab2-22d67754a0134f96-00",
        "pl-patch_failed-b7e52ac2-bff9-5e90-89a0-1923005df892-g1",
        "rmm/ninjaone/main",
        '"PATCHLINE_TRACKER_PASSWORD_FILE": "…/tracker"',
        "a short answer",
    ],
)
def test_what_helps_stays(text: str) -> None:
    assert scrub.text(text, SECRETS) == text


def test_a_log_line_keeps_its_place_and_its_sentence_and_loses_what_nobody_knows() -> None:
    line = {
        "at": "2026-03-10T14:00:00Z",
        "level": "warning",
        "message": "dead letter",
        "group": "gateway",
        "offset": 7,
        "reason": "data.device: 'Petra's laptop' is not known, password: hunter22",
        "body": {"note": "call Petra"},
        "error": 'Traceback (most recent call last):\n  File "x.py", line 3, in go\n    a("Petra")\nValueError: Petra',
    }

    kept = json.loads(scrub.log_line(json.dumps(line), SECRETS))

    assert {name: kept[name] for name in ("at", "message", "group", "offset")} == {
        "at": "2026-03-10T14:00:00Z",
        "message": "dead letter",
        "group": "gateway",
        "offset": 7,
    }
    assert kept["error"].splitlines()[-2:] == ['  File "x.py", line 3, in go', "ValueError"]
    assert not {"Petra", "hunter22"} & set(json.dumps(kept).replace('"', " ").replace("'", " ").split())
    assert "Petra" not in json.dumps(kept)


def test_a_line_that_is_no_log_line_is_a_sentence() -> None:
    assert scrub.log_line("started with {'client': 'Acme'} and token=abc123\n", SECRETS) == (
        f"started with {scrub.REMOVED} and {scrub.REMOVED}"
    )


@pytest.mark.parametrize("name", ["passphrase", "private_key", "client_secret"])
def test_what_a_sentence_names_a_secret_is_taken_out(name: str) -> None:
    assert scrub.sentence(f"wrong {name}: Tr0ub4dor", ()) == f"wrong {scrub.REMOVED}"


def test_settings_are_shown_by_name() -> None:
    given = {
        "PATCHLINE_KAFKA": "127.0.0.1:19092",
        "PATCHLINE_ACCEPT_PORT": "18080",
        "PATCHLINE_OPERATOR_URL": "postgresql://operator:hunter22@db:5432/patchline?sslpassword=x",
        "PATCHLINE_OPERATOR_PASSWORD_FILE": "/home/petra/secrets/patchline_operator",
        "PATCHLINE_DIRECTORY_SECRETS_DIR": "/home/petra/secrets/directories/",
        "PATCHLINE_SOMETHING_NEW": "maybe a secret",
        "HOME": "/home/petra",
    }

    assert scrub.settings(given) == {
        "PATCHLINE_KAFKA": "127.0.0.1:19092",
        "PATCHLINE_ACCEPT_PORT": "18080",
        "PATCHLINE_OPERATOR_URL": "postgresql://db:5432/patchline",
        "PATCHLINE_OPERATOR_PASSWORD_FILE": "…/patchline_operator",
        "PATCHLINE_DIRECTORY_SECRETS_DIR": "…/directories",
        "PATCHLINE_SOMETHING_NEW": "(set)",
    }


def test_a_statement_loses_its_values() -> None:
    assert scrub.statement("SELECT 1 FROM client WHERE name = 'O''Brien' AND id = 42") == (
        "SELECT ? FROM client WHERE name = ? AND id = ?"
    )
