"""What is written to people about a case: plain language, what happened, what was done, what to do next. Pure.

Source: the playbook's step 7 (notify the designated owner, plain-language triage). No secret is ever in it: none of its
parts is one.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from contracts.events.credential import Decision
from contracts.events.exposure import ExposureOrigin, SecretForm
from services.credentials.people.records import Approver, Request
from services.credentials.people.words import DE, EN, Words

WORDS_BY_LANGUAGE: Final[Mapping[str, Words]] = {"en": EN, "de": DE}
PLACEHOLDERS: Final = frozenset({"client", "owner", "login", "happened", "done", "next", "ticket", "case"})
"""What a client's own template may name. Each is plain text; `{{` and `}}` write braces."""

NEEDED: Final = frozenset({"happened", "done", "next"})
"""What a notice must tell, whatever else it says."""

SUBJECT_CHARACTERS: Final = 150
LOGIN_CHARACTERS: Final = 254
BREACH_CHARACTERS: Final = 80
WHY_CHARACTERS: Final = 500
_LINK: Final = re.compile(r"\b[a-z][a-z0-9+.-]*:/*(?=\S)", re.IGNORECASE)
"""The beginning of an address: what is left is text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What there is to tell about a case. `tail` is what the directory's adapter says of what stays alive, in English.

    `waits_for`: why a person must act, where a machine did not.
    """

    case: str
    client: str
    login: str
    decision: Decision
    origin: ExposureOrigin = ExposureOrigin.UNKNOWN
    form: SecretForm = SecretForm.UNKNOWN
    breach: str | None = None
    exposed_at: datetime | None = None
    invalidated_at: datetime | None = None
    revoked_at: datetime | None = None
    tail: str | None = None
    waits_for: str | None = None
    ticket: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A notice as it is sent."""

    subject: str
    text: str
    language: str


def template_faults(templates: Mapping[str, str]) -> list[str]:
    """Return what is wrong with a client's own templates (by language), a line for each fault; none: all is well."""
    return [f"templates.{name}: {fault}" for name, template in sorted(templates.items()) for fault in _faults(template)]


def notice(story: Story, *, owner: str | None, language: str, templates: Mapping[str, str]) -> Written:
    """Return the owner's notice: the client's own template of that language, else ours, else ours in English.

    Raises:
        ValueError: the client's template has a fault; the text names it.
    """
    words = WORDS_BY_LANGUAGE.get(language, EN)
    login = _plain(story.login, LOGIN_CHARACTERS)
    parts = {
        "client": story.client,
        "owner": owner or words.nobody,
        "login": login,
        "happened": _happened(story, words),
        "done": _done(story, words),
        "next": _next(story, words),
        "ticket": story.ticket or words.no_ticket,
        "case": story.case,
    }
    template = templates.get(language)
    if template is not None and (faults := _faults(template)):
        raise ValueError(f"templates.{language}: {faults[0]}")
    is_ours = template is None and language not in WORDS_BY_LANGUAGE
    text = (template or words.notice).format_map(parts)
    subject = _one_line(words.subject.format(client=story.client, login=login))[:SUBJECT_CHARACTERS]
    return Written(subject, text.strip() + "\n", "en" if is_ours else language)


def invitation(request: Request, approver: Approver, *, link: str) -> Written:
    """Return the mail that asks an approver to decide; `link` is theirs alone."""
    text = EN.invitation.format(
        name=approver.name,
        login=_plain(request.login, LOGIN_CHARACTERS),
        why=_plain(request.why, WHY_CHARACTERS),
        needed=request.needed,
        expires=_moment(request.expires_at),
        link=link,
        case=request.case,
    )
    subject = _one_line(EN.invitation_subject.format(login=_plain(request.login, LOGIN_CHARACTERS)))[
        :SUBJECT_CHARACTERS
    ]
    return Written(subject, text.strip() + "\n", "en")


def _faults(template: str) -> list[str]:
    try:
        fields = [part for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        return [f"braces do not match: {error}"]
    names = {name for _, name, _, _ in fields if name is not None}
    faults = [f"{{{name}}} is no placeholder of a notice" for name in sorted(names - PLACEHOLDERS)]
    faults += [f"{{{name}}} takes nothing but its name" for _, name, how, as_ in fields if how or as_]
    faults += [f"{{{name}}} is missing: the notice must tell it" for name in sorted(NEEDED - names)]
    return faults


def _happened(story: Story, words: Words) -> str:
    where = words.origin[story.origin].format(breach=_plain(story.breach or "", BREACH_CHARACTERS) or words.unnamed)
    when = words.exposed_on.format(at=_day(story.exposed_at)) if story.exposed_at else words.exposed_unknown
    return " ".join(
        (words.found.format(login=_plain(story.login, LOGIN_CHARACTERS)), where, words.form[story.form], when)
    )


def _done(story: Story, words: Words) -> str:
    """Tell what was done, in its order; only what was really done."""
    if story.dry_run:
        return words.dry_run
    sentences: list[str] = []
    if story.invalidated_at:
        sentences.append(words.invalidated.format(at=_moment(story.invalidated_at)))
    if story.revoked_at:
        sentences.append(words.revoked.format(at=_moment(story.revoked_at)))
        sentences.append(words.tail)
        if story.tail:
            sentences.append(words.tail_words.format(tail=_one_line(story.tail)))
    if story.decision is Decision.REMEDIATED and not sentences:
        sentences.append(words.remediated)
    if not sentences:
        sentences.append(words.nothing)
    if story.waits_for:
        sentences.append(words.waits.format(why=_one_line(story.waits_for)))
    return " ".join(sentences)


def _next(story: Story, words: Words) -> str:
    steps = [words.come_back] if story.invalidated_at and not story.dry_run else [words.change_it]
    if story.origin is ExposureOrigin.STEALER_LOG:
        steps.append(words.clean_device)
    steps += [words.elsewhere, words.second_factor, words.ask_us]
    return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))


def _plain(text: str, most: int) -> str:
    """Return what a feed wrote as words in a sentence of ours: one line, no address to click on, not too long."""
    printable = "".join(each if each.isprintable() else " " for each in _LINK.sub("", text))
    return _one_line(printable)[:most]


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _one_line(text: str) -> str:
    return " ".join(text.split())
