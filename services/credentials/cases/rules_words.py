"""What a case says to people, in plain words and without a secret. Pure."""

from contracts.events.credential import AccountKind
from contracts.events.exposure import ExposureFound, ExposureOrigin, SecretForm
from services.credentials.cases.records import Case

TEXT_CHARACTERS = 2048

FORMS = {
    SecretForm.PLAINTEXT: "A readable password",
    SecretForm.CRACKABLE: "A password that can be computed from what was found",
    SecretForm.HASHED: "A scrambled password",
    SecretForm.SESSION: "A session that is signed in",
    SecretForm.NONE: "The name, and no secret,",
    SecretForm.UNKNOWN: "Something about the sign-in",
}
ORIGINS = {
    ExposureOrigin.BREACH: "in the data of a breach",
    ExposureOrigin.STEALER_LOG: "in the loot of malware that steals passwords",
    ExposureOrigin.COMBOLIST: "in a list put together from old breaches",
    ExposureOrigin.RISK_DETECTION: "by the directory's own risk detection",
    ExposureOrigin.UNKNOWN: "somewhere it should not be",
}


def summary(found: ExposureFound, case: Case) -> str:
    """Return what a technician reads first: what was found, of whom, where, since when, and what follows."""
    breach = f" ({found.breach})" if found.breach else ""
    when = f" It was exposed on {found.exposed_at:%Y-%m-%d}." if found.exposed_at else ""
    whose = _whose(case)
    told = f"{FORMS[found.form]} of {case.login} was found {ORIGINS[found.origin]}{breach}, says {found.feed}."
    return f"{told}{when} {whose} {_follows(case)}"[:TEXT_CHARACTERS]


def _whose(case: Case) -> str:
    if case.object_id is None:
        return "No account of the client's directories is known for it."
    kind = "nobody knows what kind of account it is" if case.kind is AccountKind.UNKNOWN else f"it is a {_kind(case)}"
    power = " with power over others" if case.privileged else ""
    return f"The account is in the directory {case.directory}; {kind}{power}."


def _kind(case: Case) -> str:
    return "person's account" if case.kind is AccountKind.PERSON else f"{case.kind.replace('_', '-')} account"


def _follows(case: Case) -> str:
    dry = "This is a dry run: nothing is done, a person must act. " if case.dry_run else ""
    return f"{dry}Decision: {case.verdict.decision}, because {case.verdict.why}."
