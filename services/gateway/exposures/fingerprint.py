"""A keyed fingerprint in place of a secret: the same login and secret give the same one, and nobody can go back.

Without the key the secrets behind short fingerprints could be guessed; with it, by whoever has it: back it up as the
sealing key is, and apart from what it made.
"""

import hmac
import unicodedata
from pathlib import Path
from typing import Final, NewType

from chassis.errors import WrongSetting
from contracts.approval import key_in

FingerprintKey = NewType("FingerprintKey", bytes)

SETTING: Final = "PATCHLINE_FINGERPRINT_KEY_FILE"


def fingerprint(key: FingerprintKey, login: str, secret: str) -> str:
    """Return HMAC-SHA256, in hex, over the normalised login and the secret: NFKC both, the login without case."""
    who = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", login).strip().casefold())
    what = unicodedata.normalize("NFKC", secret)
    return hmac.digest(key, f"{len(who)}:{who}{what}".encode("utf-8", "surrogatepass"), "sha256").hex()


def read_fingerprint_key(path: Path) -> FingerprintKey:
    """Return the key in the file that PATCHLINE_FINGERPRINT_KEY_FILE names.

    Raises:
        WrongSetting: the file cannot be read, or holds something else than 32 bytes in base64.
    """
    return FingerprintKey(read_key(path, SETTING))


def read_key(path: Path, setting: str) -> bytes:
    """Return the 32 bytes in a key file, which `setting` names.

    Raises:
        WrongSetting: the file cannot be read, or holds something else.
    """
    try:
        return key_in(path.read_text())
    except OSError as error:
        raise WrongSetting(f"{setting}: {path}: {error.strerror}") from error
    except ValueError as error:
        raise WrongSetting(f"{setting}: {path}: not 32 bytes in base64") from error
