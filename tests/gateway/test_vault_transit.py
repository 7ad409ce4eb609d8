"""Data keys wrapped by a Vault that speaks the real wire format, with its faults."""

import base64
import json
import os
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chassis.errors import WrongSetting
from chassis.http import Policy
from services.gateway.adapters.vault_transit import VaultSealer
from services.gateway.keys.key_sealing import KeyUnavailable

MAIN = "rmm/ninjaone/main"
KEY = bytes(range(32))
TOKEN = "hvs.the-token-of-the-tests"
FAST = Policy(calls_per_second=10_000, burst=10_000, timeout_seconds=2, breaker_failures=1000)


class Vault:
    """Vault's transit engine in memory. Source: HTTP API of Vault 1.15 and the answers of its transit backend."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.deletable: set[str] = set()
        self.is_sealed = False
        self.token = TOKEN
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        path = unquote(request.url.path)
        if self.is_sealed:
            return _errors(503, "Vault is sealed")
        if request.headers.get("x-vault-token") != self.token:
            return _errors(403, "permission denied")
        if not path.startswith("/v1/transit/"):
            return _errors(404, f'no handler for route "{path.removeprefix("/v1/")}". route entry not found.')
        match [request.method, *path.removeprefix("/v1/transit/").split("/")]:
            case ["POST" | "PUT", "encrypt", name]:
                return self._encrypt(name, json.loads(request.content))
            case ["POST" | "PUT", "decrypt", name]:
                return self._decrypt(name, json.loads(request.content))
            case [method, "keys", name, *rest]:
                return self._configure(name) if rest == ["config"] and method != "DELETE" else self._delete(name)
            case _:
                return _errors(405, "unsupported operation")

    def _configure(self, name: str) -> httpx.Response:
        if name not in self.keys:
            return _errors(400, f"no existing key named {name} could be found")
        if json.loads(self.asked[-1].content).get("deletion_allowed"):
            self.deletable.add(name)
        return httpx.Response(200, json={"data": {"name": name, "deletion_allowed": True}})

    def _delete(self, name: str) -> httpx.Response:
        if name not in self.keys:
            return _errors(400, f"error deleting policy {name}: could not delete key; not found")
        if name not in self.deletable:
            return _errors(400, f"error deleting policy {name}: deletion is not allowed for this key")
        del self.keys[name]
        return httpx.Response(204)

    def _encrypt(self, name: str, body: dict[str, str]) -> httpx.Response:
        key = self.keys.setdefault(name, os.urandom(32))
        nonce = os.urandom(12)
        bound = base64.b64decode(body.get("associated_data", ""))
        box = nonce + AESGCM(key).encrypt(nonce, base64.b64decode(body["plaintext"], validate=True), bound)
        return _answer({"ciphertext": "vault:v1:" + base64.b64encode(box).decode(), "key_version": 1})

    def _decrypt(self, name: str, body: dict[str, str]) -> httpx.Response:
        if name not in self.keys:
            return _errors(400, "encryption key not found")
        if not body["ciphertext"].startswith("vault:v1:"):
            return _errors(400, "invalid ciphertext: no prefix")
        box = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
        try:
            bound = base64.b64decode(body.get("associated_data", ""))
            clear = AESGCM(self.keys[name]).decrypt(box[:12], box[12:], bound)
        except InvalidTag:
            return _errors(400, "cipher: message authentication failed")
        return _answer({"plaintext": base64.b64encode(clear).decode()})


def _answer(data: dict[str, object]) -> httpx.Response:
    return httpx.Response(
        200, json={"request_id": "8f4c", "lease_id": "", "renewable": False, "lease_duration": 0, "data": data}
    )


def _errors(status: int, *errors: str) -> httpx.Response:
    return httpx.Response(status, json={"errors": list(errors)})


@pytest.fixture
def vault() -> Vault:
    return Vault()


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "vault-token"
    file.write_text(TOKEN + "\n")
    return file


@pytest.fixture
def sealer(vault: Vault, token_file: Path) -> VaultSealer:
    return sealer_of(vault, token_file)


def renew(token_file: Path, token: str) -> None:
    token_file.write_text(token)


def sealer_of(vault: Vault, token_file: Path, *, mount: str = "transit") -> VaultSealer:
    return VaultSealer(
        "https://vault.example:8200",
        token_file=token_file,
        mount=mount,
        policy=FAST,
        transport=httpx.MockTransport(vault),
    )


async def test_a_wrapped_key_unwraps_and_is_not_readable(sealer: VaultSealer, vault: Vault) -> None:
    box = await sealer.wrap(KEY, source_id=MAIN, key_id="k1")

    assert await sealer.unwrap(box, source_id=MAIN, key_id="k1") == KEY
    assert base64.b64encode(KEY) not in box
    assert {request.headers["x-vault-request"] for request in vault.asked} == {"true"}


async def test_each_source_has_a_key_of_its_own_in_vault(sealer: VaultSealer, vault: Vault) -> None:
    for source_id in (MAIN, "rmm/ninjaone-main/x", "rmm/ninjaone/main-x"):
        await sealer.wrap(KEY, source_id=source_id, key_id="k1")

    assert set(vault.keys) == {
        "patchline.rmm.ninjaone.main",
        "patchline.rmm.ninjaone-main.x",
        "patchline.rmm.ninjaone.main-x",
    }


@pytest.mark.parametrize(
    ("source_id", "key_id"),
    [pytest.param(MAIN, "k2", id="another key id"), pytest.param("rmm/ninjaone/other", "k1", id="another source")],
)
async def test_it_unwraps_for_nothing_else(sealer: VaultSealer, source_id: str, key_id: str) -> None:
    box = await sealer.wrap(KEY, source_id=MAIN, key_id="k1")
    await sealer.wrap(KEY, source_id="rmm/ninjaone/other", key_id="k1")

    with pytest.raises(KeyUnavailable, match="authentication failed"):
        await sealer.unwrap(box, source_id=source_id, key_id=key_id)


@pytest.mark.parametrize("trouble", ["sealed", "another token", "another mount", "no answer", "key lost"])
async def test_whatever_is_wrong_with_vault_may_be_mended(vault: Vault, token_file: Path, trouble: str) -> None:
    sealer = sealer_of(vault, token_file)
    box = await sealer.wrap(KEY, source_id=MAIN, key_id="k1")
    good = dict(vault.keys)
    match trouble:
        case "sealed":
            vault.is_sealed = True
        case "another token":
            renew(token_file, "hvs.revoked")
        case "another mount":
            sealer = sealer_of(vault, token_file, mount="elsewhere")
        case "no answer":
            sealer = sealer_of(_Gone(), token_file)
        case "key lost":
            vault.keys.clear()

    with pytest.raises(KeyUnavailable):
        await sealer.unwrap(box, source_id=MAIN, key_id="k1")

    vault.is_sealed, vault.keys = False, good
    renew(token_file, TOKEN)
    assert await sealer_of(vault, token_file).unwrap(box, source_id=MAIN, key_id="k1") == KEY


class _Gone(Vault):
    """Nobody is there."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(httpx.Response(200, text="<html>a proxy's page</html>"), id="not JSON"),
        pytest.param(httpx.Response(200, json={"data": {}}), id="no field"),
        pytest.param(httpx.Response(200, json=["data"]), id="another shape"),
        pytest.param(httpx.Response(200, json={"data": {"plaintext": "not base64!"}}), id="not base64"),
    ],
)
async def test_an_answer_that_is_not_vaults_is_no_key(token_file: Path, answer: httpx.Response) -> None:
    sealer = VaultSealer(
        "https://vault.example", token_file=token_file, mount="transit", transport=httpx.MockTransport(lambda _: answer)
    )

    with pytest.raises(KeyUnavailable):
        await sealer.unwrap(b"vault:v1:abc", source_id=MAIN, key_id="k1")


async def test_a_token_that_was_renewed_in_its_file_is_used_at_once(
    sealer: VaultSealer, vault: Vault, token_file: Path
) -> None:
    await sealer.wrap(KEY, source_id=MAIN, key_id="k1")
    vault.token = "hvs.renewed"
    renew(token_file, "hvs.renewed")

    await sealer.wrap(KEY, source_id=MAIN, key_id="k2")

    assert vault.asked[-1].headers["x-vault-token"] == "hvs.renewed"


async def test_no_token_reaches_an_error(sealer: VaultSealer, vault: Vault) -> None:
    vault.token = "another"

    with pytest.raises(KeyUnavailable) as refused:
        await sealer.wrap(KEY, source_id=MAIN, key_id="k1")

    assert TOKEN not in str(refused.value)


async def test_a_forgotten_source_unwraps_no_more_and_only_it(sealer: VaultSealer) -> None:
    gone = await sealer.wrap(KEY, source_id=MAIN, key_id="k1")
    other = await sealer.wrap(KEY, source_id="rmm/ninjaone/other", key_id="k1")

    await sealer.forget(MAIN)
    await sealer.forget(MAIN)

    with pytest.raises(KeyUnavailable):
        await sealer.unwrap(gone, source_id=MAIN, key_id="k1")
    assert await sealer.unwrap(other, source_id="rmm/ninjaone/other", key_id="k1") == KEY


@pytest.mark.parametrize("trouble", ["sealed", "another mount"])
async def test_a_vault_that_cannot_forget_is_not_believed_to_have_forgotten(
    vault: Vault, token_file: Path, trouble: str
) -> None:
    sealer = sealer_of(vault, token_file, mount="elsewhere" if trouble == "another mount" else "transit")
    vault.is_sealed = trouble == "sealed"

    with pytest.raises(KeyUnavailable):
        await sealer.forget(MAIN)


@pytest.mark.parametrize(
    ("url", "names_a_file"), [("http://vault.example:8200", True), ("", True), ("https://vault.example", False)]
)
def test_a_wrong_setting_is_said_before_anything_is_called(token_file: Path, url: str, *, names_a_file: bool) -> None:
    with pytest.raises(WrongSetting):
        VaultSealer(url, token_file=token_file if names_a_file else None, mount="transit")
