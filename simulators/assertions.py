"""Checks the signed assertions with which programs ask for tokens, as a token endpoint does."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def claims_of(assertion: str, key: rsa.RSAPublicKey, *, audience: str) -> Mapping[str, Any] | None:
    """Return what a valid assertion claims; `None`: forged, too old, or meant for another. Source: RFC 7515, 7523."""
    head, _, signature = assertion.rpartition(".")
    try:
        key.verify(_decoded(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
        header, claims = (json.loads(_decoded(each)) for each in head.split("."))
    except (InvalidSignature, ValueError):
        return None
    is_current = claims.get("iat", 0) - 60 <= time.time() < claims.get("exp", 0) <= claims.get("iat", 0) + 3600
    return {**header, **claims} if is_current and claims.get("aud") == audience and header["alg"] == "RS256" else None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
