"""What the tests of Request Tracker write."""

from dataclasses import replace

from services.ticketing.records import Draft, Note


def draft(key: str, **changes: str) -> Draft:
    asked = Draft(key=key, title="T: ü", text="body\n\nü", company="Acme", severity="high", marker=f"{key}/1/open/e")
    return replace(asked, **changes)


def note(key: str, number: int, act: str, text: str = "words") -> Note:
    return Note(marker=f"{key}/{number}/{act}/e", text=text)
