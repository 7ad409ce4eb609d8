"""The words of notices, by language. Somebody who knows nothing of computers must understand them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.events.exposure import ExposureOrigin, SecretForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One language's sentences; the names in braces are filled in by `rules_notice`."""

    subject: str
    notice: str
    found: str
    origin: Mapping[ExposureOrigin, str]
    form: Mapping[SecretForm, str]
    exposed_on: str
    exposed_unknown: str
    unnamed: str
    invalidated: str
    revoked: str
    tail: str
    tail_words: str
    remediated: str
    nothing: str
    dry_run: str
    waits: str
    come_back: str
    change_it: str
    clean_device: str
    elsewhere: str
    second_factor: str
    ask_us: str
    nobody: str
    no_ticket: str
    invitation_subject: str = ""
    invitation: str = ""


EN: Final = Words(
    subject="{client}: the password of {login} was found in other hands",
    notice="""Hello {owner},

WHAT HAPPENED
{happened}

WHAT WAS DONE
{done}

WHAT TO DO NEXT
{next}

Ticket: {ticket}
Case: {case}

This message holds no password, and nobody will ever ask you for one.
""",
    found="We were told that login details of {login} are in other hands.",
    origin={
        ExposureOrigin.BREACH: "They come from a break-in at another company or site ({breach}).",
        ExposureOrigin.STEALER_LOG: "Harmful software took them on a computer that was used to sign in ({breach}).",
        ExposureOrigin.COMBOLIST: "They stand in a collection that was put together from older break-ins ({breach}).",
        ExposureOrigin.RISK_DETECTION: "The sign-in service itself noticed it ({breach}).",
        ExposureOrigin.UNKNOWN: "Where they come from was not told ({breach}).",
    },
    form={
        SecretForm.PLAINTEXT: "The password can be read as it is.",
        SecretForm.CRACKABLE: "The password is protected so weakly that it must be taken as known.",
        SecretForm.HASHED: "The password is there in a protected form; how well it holds, nobody can promise.",
        SecretForm.SESSION: "A signed-in session was taken, which may work without the password.",
        SecretForm.NONE: "No password was seen with it.",
        SecretForm.UNKNOWN: "Whether a password is among them was not told.",
    },
    exposed_on="It is said to have happened on {at}.",
    exposed_unknown="When it happened was not told.",
    unnamed="no name was given",
    invalidated="At {at} the old password was made invalid: it opens nothing any more.",
    revoked="At {at} all sign-ins were ended.",
    tail="What was open at that moment may go on working for about an hour, because programs ask again only so often.",
    tail_words="In the directory's terms: {tail}",
    remediated="The password had been changed after the exposure already, so the exposed one is invalid. Nothing more "
    "was needed.",
    nothing="Nothing was changed at the account.",
    dry_run="Nothing was changed: this client's automatic actions are on trial and only shown.",
    waits="A person has to decide or act: {why}",
    come_back="To come back in, the person sets a new password by the self-service reset, or calls the help desk. "
    "Nobody has been given the temporary one.",
    change_it="Have the password changed now, by the self-service reset or by the help desk.",
    clean_device="Do not sign in again from the computer that was used until it has been checked: harmful software was "
    "on it.",
    elsewhere="If the same or a similar password is used anywhere else, change it there too.",
    second_factor="If the account has no second step at sign-in (an app or a key), have one set up.",
    ask_us="If something looks strange, such as mails nobody wrote or forwarding rules nobody made, call us at once.",
    nobody="there",
    no_ticket="none yet",
    invitation_subject="Your decision is needed: exposed login {login}",
    invitation="""Hello {name},

login details of {login} were found in other hands. A machine must not act on this account alone:
{why}

{needed} different people have to agree before {expires}. If you agree, the account's password is made invalid and its
sign-ins are ended.

Read the ticket first. Then decide on this page; opening it decides nothing yet:

{link}

The link is yours alone, works once, and ends at {expires}. Do not forward it. With your enrolled key you can decide
without it: patchline case approve {case}
""",
)

DE: Final = Words(
    subject="{client}: Das Passwort von {login} ist in fremden Händen",
    notice="""Guten Tag {owner},

WAS GESCHEHEN IST
{happened}

WAS GETAN WURDE
{done}

WAS JETZT ZU TUN IST
{next}

Ticket: {ticket}
Fall: {case}

Diese Nachricht enthält kein Passwort, und niemand wird Sie je nach einem fragen.
""",
    found="Uns wurde gemeldet, dass Anmeldedaten von {login} in fremden Händen sind.",
    origin={
        ExposureOrigin.BREACH: "Sie stammen aus einem Einbruch bei einer anderen Firma oder Seite ({breach}).",
        ExposureOrigin.STEALER_LOG: "Schadsoftware hat sie auf einem Rechner mitgelesen, an dem man sich anmeldete "
        "({breach}).",
        ExposureOrigin.COMBOLIST: "Sie stehen in einer Sammlung aus älteren Einbrüchen ({breach}).",
        ExposureOrigin.RISK_DETECTION: "Der Anmeldedienst selbst hat es bemerkt ({breach}).",
        ExposureOrigin.UNKNOWN: "Woher sie stammen, wurde nicht mitgeteilt ({breach}).",
    },
    form={
        SecretForm.PLAINTEXT: "Das Passwort ist im Klartext lesbar.",
        SecretForm.CRACKABLE: "Das Passwort ist so schwach geschützt, dass es als bekannt gelten muss.",
        SecretForm.HASHED: "Das Passwort liegt in geschützter Form vor; wie lange das hält, kann niemand versprechen.",
        SecretForm.SESSION: "Eine offene Anmeldung wurde gestohlen; sie kann auch ohne Passwort benutzt werden.",
        SecretForm.NONE: "Ein Passwort war nicht dabei.",
        SecretForm.UNKNOWN: "Ob ein Passwort dabei ist, wurde nicht mitgeteilt.",
    },
    exposed_on="Es soll am {at} geschehen sein.",
    exposed_unknown="Wann es geschehen ist, wurde nicht mitgeteilt.",
    unnamed="ohne Namen",
    invalidated="Um {at} wurde das alte Passwort ungültig gemacht: Es öffnet nichts mehr.",
    revoked="Um {at} wurden alle Anmeldungen beendet.",
    tail="Was in diesem Augenblick offen war, kann noch etwa eine Stunde weiterlaufen, weil Programme nur hin und "
    "wieder neu fragen.",
    tail_words="In den Worten des Verzeichnisses (englisch): {tail}",
    remediated="Das Passwort war nach dem Vorfall schon geändert worden, das bekannt gewordene gilt also nicht mehr. "
    "Mehr war nicht nötig.",
    nothing="Am Konto wurde nichts geändert.",
    dry_run="Es wurde nichts geändert: Die automatischen Maßnahmen laufen für diesen Kunden zur Probe und werden nur "
    "gezeigt.",
    waits="Ein Mensch muss entscheiden oder handeln (englisch): {why}",
    come_back="Um sich wieder anzumelden, setzt die Person über die Selbstbedienung ein neues Passwort oder ruft den "
    "Helpdesk an. Das vorläufige kennt niemand.",
    change_it="Lassen Sie das Passwort jetzt ändern, über die Selbstbedienung oder den Helpdesk.",
    clean_device="Melden Sie sich an dem benutzten Rechner nicht wieder an, bevor er geprüft ist: Auf ihm war "
    "Schadsoftware.",
    elsewhere="Wird dasselbe oder ein ähnliches Passwort auch anderswo benutzt, ändern Sie es dort ebenfalls.",
    second_factor="Hat das Konto keinen zweiten Schritt bei der Anmeldung (App oder Schlüssel), lassen Sie einen "
    "einrichten.",
    ask_us="Fällt Ihnen etwas auf, etwa Mails, die niemand schrieb, oder Weiterleitungen, die niemand anlegte: Rufen "
    "Sie uns sofort an.",
    nobody="und danke für Ihre Aufmerksamkeit",
    no_ticket="noch keines",
)
