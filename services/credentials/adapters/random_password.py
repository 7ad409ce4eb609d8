"""A password that nobody knows: made for one write, told to nobody, kept nowhere."""

import secrets
import string
from typing import Final

from pydantic import SecretStr

LENGTH: Final = 64
"""Within the longest that each directory takes: Okta 72, Google Workspace 100, AD 127, Entra ID 256 characters."""

_CLASSES: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.~!*")
_ALPHABET: Final = "".join(_CLASSES)


def random_password() -> SecretStr:
    """Return a new password of `LENGTH` printable ASCII characters of all four classes that policies ask for.

    No quote, backslash or blank is in it, so it means the same in every wire format.
    """
    while True:
        drawn = "".join(secrets.choice(_ALPHABET) for _ in range(LENGTH))
        if all(any(char in each for char in drawn) for each in _CLASSES):
            return SecretStr(drawn)
