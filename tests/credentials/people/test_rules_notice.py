"""Notices: plain, true, in the owner's language, with the client's own words where it has some, and no secret."""

from datetime import timedelta
from typing import Any

import pytest

from contracts.events.credential import Decision
from contracts.events.exposure import ExposureOrigin, SecretForm
from services.credentials.people.rules_notice import Story, invitation, notice, template_faults
from tests.builders import NOON
from tests.credentials.people.test_rules_approvals import ADA, REQUEST


def story(**changes: Any) -> Story:
    fields: dict[str, Any] = {
        "case": "c-1",
        "client": "Acme Dental",
        "login": "anna@acme.example",
        "decision": Decision.RESET,
        "origin": ExposureOrigin.STEALER_LOG,
        "form": SecretForm.PLAINTEXT,
        "breach": "RedLine 2026-10",
        "exposed_at": NOON - timedelta(days=3),
        "invalidated_at": NOON,
        "revoked_at": NOON + timedelta(minutes=1),
        "tail": "access tokens live up to 75 minutes",
        "ticket": "4711",
    }
    return Story(**{**fields, **changes})


def text_of(told: Story, *, language: str = "en") -> str:
    return notice(told, owner="Mara Lind", language=language, templates={}).text


def test_a_notice_tells_what_happened_what_was_done_and_what_to_do_next() -> None:
    written = notice(story(), owner="Mara Lind", language="en", templates={})

    assert written.subject == "Acme Dental: the password of anna@acme.example was found in other hands"
    happened, done, after = written.text.partition("WHAT WAS DONE")[0], written.text.partition("WHAT WAS DONE")[2], ""
    done, _, after = done.partition("WHAT TO DO NEXT")
    assert "Harmful software took them" in happened
    assert "RedLine 2026-10" in happened
    assert "on 2026-11-07" in happened
    assert "2026-11-10 12:00 UTC the old password was made invalid" in done
    assert "about an hour" in done
    assert "access tokens live up to 75 minutes" in done
    assert "1. To come back in" in after
    assert "Do not sign in again from the computer" in after
    assert "Ticket: 4711" in after


@pytest.mark.parametrize(
    ("told", "says", "says_not"),
    [
        pytest.param(story(revoked_at=None), "made invalid", "sign-ins were ended", id="not revoked yet"),
        pytest.param(
            story(invalidated_at=None, revoked_at=None),
            "Nothing was changed at the account",
            "made invalid",
            id="nothing",
        ),
        pytest.param(
            story(invalidated_at=None, revoked_at=None, decision=Decision.REMEDIATED),
            "had been changed after the exposure",
            "Nothing was changed at",
            id="changed by the person before",
        ),
        pytest.param(story(dry_run=True), "are on trial", "made invalid", id="dry run"),
        pytest.param(
            story(invalidated_at=None, revoked_at=None, waits_for="a service account"),
            "A person has to decide or act: a service account",
            "made invalid",
            id="a person must act",
        ),
        pytest.param(story(form=SecretForm.SESSION), "may work without the password", "can be read", id="a session"),
        pytest.param(story(breach=None, exposed_at=None), "When it happened was not told", "None", id="unknown"),
        pytest.param(story(origin=ExposureOrigin.BREACH), "at another company", "Do not sign in again", id="a breach"),
    ],
)
def test_it_tells_only_what_is_true(told: Story, says: str, says_not: str) -> None:
    text = text_of(told)

    assert says in text
    assert says_not not in text


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("origin", list(ExposureOrigin))
@pytest.mark.parametrize("form", list(SecretForm))
def test_every_language_has_every_word(language: str, origin: ExposureOrigin, form: SecretForm) -> None:
    text = text_of(story(origin=origin, form=form, breach=None), language=language)

    assert "{" not in text
    assert "}" not in text


def test_german_for_who_wants_it_and_english_for_a_language_that_we_do_not_have() -> None:
    german = notice(story(), owner=None, language="de", templates={})
    other = notice(story(), owner=None, language="fi", templates={})

    assert (german.language, "WAS GESCHEHEN IST" in german.text) == ("de", True)
    assert (other.language, "WHAT HAPPENED" in other.text) == ("en", True)


def test_a_clients_own_template_is_filled_in() -> None:
    templates = {"fi": "Hei {owner}!\n{happened}\n{done}\n{next}\n{{{ticket}}}"}

    written = notice(story(), owner="Mara Lind", language="fi", templates=templates)

    assert written.text.startswith("Hei Mara Lind!\nWe were told")
    assert written.text.endswith("{4711}\n")
    assert written.language == "fi"


def test_what_a_feed_wrote_is_text_and_never_a_placeholder() -> None:
    told = story(breach="{owner} {case.__class__}")

    assert "{owner} {case.__class__}" in text_of(told)


@pytest.mark.parametrize(
    "breach",
    [
        pytest.param("x\n\nWHAT TO DO NEXT\nCall us", id="lines of its own"),
        pytest.param("see https://evil.example/login now", id="an address"),
        pytest.param("see HTTPS:evil.example", id="an odd address"),
        pytest.param("\u202ecod.esrever\x1b[31m", id="characters that turn the text around"),
        pytest.param("x" * 500, id="no end"),
    ],
)
def test_what_a_feed_wrote_cannot_pass_for_words_of_ours(breach: str) -> None:
    text = text_of(story(breach=breach))

    assert text.count("\nWHAT TO DO NEXT\n") == 1
    assert "://" not in text
    assert "https:" not in text.lower()
    assert all(each.isprintable() or each == "\n" for each in text)
    assert len(text) < len(text_of(story(breach=""))) + 100


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        pytest.param("{happened}{done}{next}", None, id="all that is needed"),
        pytest.param("{happened}{done}", "{next} is missing", id="what to do is missing"),
        pytest.param("{happened}{done}{next}{password}", "{password} is no placeholder", id="no such word"),
        pytest.param("{happened}{done}{next}{owner.__class__}", "is no placeholder", id="reaches behind a word"),
        pytest.param("{happened}{done}{next}{}", "{} is no placeholder", id="no name"),
        pytest.param("{happened!r}{done}{next}", "{happened} takes nothing but its name", id="a conversion"),
        pytest.param("{happened:>99999}{done}{next}", "takes nothing but its name", id="a width"),
        pytest.param("{happened}{done}{next", "braces do not match", id="an open brace"),
    ],
)
def test_a_template_is_judged_before_it_is_used(template: str, fault: str | None) -> None:
    faults = template_faults({"en": template})

    assert faults == [] if fault is None else any(fault in each for each in faults)
    if fault is not None:
        with pytest.raises(ValueError, match=r"^templates\.en: "):
            notice(story(), owner=None, language="en", templates={"en": template})


def test_a_subject_is_one_line() -> None:
    written = notice(
        story(client="Acme\r\nBcc: all@acme.example", login="x" * 400), owner=None, language="en", templates={}
    )

    assert "\n" not in written.subject
    assert len(written.subject) <= 150


def test_an_invitation_says_what_is_asked_and_until_when() -> None:
    written = invitation(REQUEST, ADA, link="https://hooks.msp.example/approvals/abc")

    assert "2 different people have to agree before 2026-11-10 13:00 UTC" in written.text
    assert "\nhttps://hooks.msp.example/approvals/abc\n" in written.text
    assert f"patchline case approve {REQUEST.case}" in written.text
