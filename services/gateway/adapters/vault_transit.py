"""Data keys wrapped by HashiCorp Vault's transit engine, one key of the engine per source, so that it can be destroyed.

Source: Vault HTTP API, "Transit secrets engine": encrypt, decrypt, update key configuration, delete key; and
"HTTP API": status codes, `X-Vault-Token`, `X-Vault-Request`.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx

from chassis.errors import MayWorkLater, WrongSetting
from chassis.http import Outbound, Policy, Refused
from services.gateway.keys.key_sealing import VAULT, KeyUnavailable

POLICY: Final = Policy(calls_per_second=200, burst=200, timeout_seconds=3, breaker_seconds=5)
_GONE: Final = ("no existing key named", "could not delete key; not found")
"""What Vault says, with a 400, of a key that is not there; a 404 says that the engine is mounted elsewhere."""


class VaultSealer:
    """Wraps and unwraps over HTTP. Close it at the end."""

    name = VAULT

    def __init__(
        self,
        url: str,
        *,
        token_file: Path | None,
        mount: str,
        policy: Policy = POLICY,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Use the engine mounted at `mount`; the token is read anew for each call, so an agent may renew the file.

        Raises:
            WrongSetting: the address is none that may be called, or no token file is named.
        """
        if token_file is None:
            raise WrongSetting("PATCHLINE_VAULT_TOKEN_FILE: name the file with the token for PATCHLINE_VAULT_URL")
        self._token_file = token_file
        self._mount = mount.strip("/")
        self._outbound = Outbound(url, policy, headers={"X-Vault-Request": "true"}, transport=transport)

    async def close(self) -> None:
        """Close the connections."""
        await self._outbound.close()

    async def wrap(self, key: bytes, *, source_id: str, key_id: str) -> bytes:
        """Return `key` wrapped; Vault makes the source's own transit key if there is none yet.

        Raises:
            KeyUnavailable: Vault is away or sealed, or does not let us.
        """
        body = {"plaintext": _base64(key), "associated_data": _base64(key_id.encode())}
        answer = await self._post(f"encrypt/{_key_name(source_id)}", body)
        return _field(answer, "ciphertext").encode()

    async def unwrap(self, box: bytes, *, source_id: str, key_id: str) -> bytes:
        """Return the key in `box`.

        Raises:
            KeyUnavailable: Vault is away or sealed, does not let us, or wrapped it with another key than it has now.
        """
        body = {"ciphertext": box.decode(), "associated_data": _base64(key_id.encode())}
        answer = await self._post(f"decrypt/{_key_name(source_id)}", body)
        try:
            return base64.b64decode(_field(answer, "plaintext"), validate=True)
        except (binascii.Error, ValueError) as error:
            raise KeyUnavailable(f"{self._outbound.host}: its answer is not base64") from error

    async def forget(self, source_id: str) -> None:
        """Destroy the source's transit key: no backup of our database opens anything of it any more.

        Raises:
            KeyUnavailable: Vault is away or sealed, or does not let us.
        """
        name = _key_name(source_id)
        try:
            await self._call("POST", f"keys/{name}/config", {"deletion_allowed": True})
            await self._call("DELETE", f"keys/{name}", None)
        except Refused as error:
            if not _says_gone(error):
                raise self._unavailable(error) from error
        except MayWorkLater as error:
            raise self._unavailable(error) from error

    async def _post(self, path: str, body: Mapping[str, object]) -> object:
        try:
            answer = await self._call("POST", path, body)
            return answer.json()
        except (Refused, MayWorkLater) as error:
            raise self._unavailable(error) from error
        except ValueError as error:
            raise KeyUnavailable(f"{self._outbound.host}: its answer is not JSON") from error

    async def _call(self, method: str, path: str, body: Mapping[str, object] | None) -> httpx.Response:
        headers = {"X-Vault-Token": self._token()}
        where = f"/v1/{self._mount}/{path}"
        if method == "DELETE":
            return await self._outbound.call("DELETE", where, headers=headers)
        return await self._outbound.call("POST", where, headers=headers, json=body)

    def _token(self) -> str:
        try:
            return self._token_file.read_text().strip()
        except OSError as error:
            raise KeyUnavailable(f"PATCHLINE_VAULT_TOKEN_FILE: {self._token_file}: {error.strerror}") from error

    def _unavailable(self, error: Exception) -> KeyUnavailable:
        """Whatever Vault says, a person can mend it: its seal, its policy, the token, the mount, a restored backup."""
        return KeyUnavailable(f"vault at {self._outbound.host}: {error}")


def _key_name(source_id: str) -> str:
    """Return what a source's transit key is called; a source's names hold no dot, so no two are called the same."""
    return "patchline." + source_id.replace("/", ".")


def _says_gone(refused: Refused) -> bool:
    return refused.status == httpx.codes.BAD_REQUEST and any(each in str(refused) for each in _GONE)


def _field(answer: object, name: str) -> str:
    data = answer.get("data") if isinstance(answer, dict) else None
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str):
        raise KeyUnavailable(f"vault's answer has no {name}")
    return value


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
