"""What runs in the credentials process for people: their decisions, and the mails to them."""

from chassis.platform import Platform
from chassis.running import Part
from services.credentials.adapters.mail import Mail, Server, SmtpMail
from services.credentials.people.deciding import Decided, Deciding
from services.credentials.people.inviting import Inviting, Links
from services.credentials.people.settings import PeopleSettings


def mail_on(settings: PeopleSettings) -> Mail | None:
    """Return the mail server of the settings; `None`: none is set.

    Raises:
        WrongSetting: its password or whom to believe cannot be read.
    """
    if not settings.mail_host:
        return None
    return SmtpMail(
        Server(
            host=settings.mail_host,
            port=settings.mail_port,
            sender=settings.mail_from,
            security=settings.mail_security,
            user=settings.mail_user,
            password=settings.mail_password,
            ca_file=settings.mail_ca_file,
            timeout_seconds=settings.mail_timeout_seconds,
        )
    )


def parts_on(on: Platform, settings: PeopleSettings, mail: Mail | None, *, decided: Decided) -> list[Part]:
    """Return what counts decisions, and what writes to approvers where mail and links are set up.

    Raises:
        WrongSetting: the key of the links cannot be read.
    """
    parts: list[Part] = [Deciding(pool=on.pool, clock=on.clock, progress=on.progress, relay=on.relay, decided=decided)]
    key = settings.approval_key
    if mail is not None and key is not None and settings.approval_url:
        links = Links(url=settings.approval_url, key=key)
        parts.append(Inviting(pool=on.pool, mail=mail, links=links, clock=on.clock, progress=on.progress))
    return parts
