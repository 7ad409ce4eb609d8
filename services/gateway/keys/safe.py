"""What seals and opens raw bodies in one process, as its settings say: made once, closed at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import asyncpg

from chassis.postgres import Connection
from services.gateway.keys.bodies import BlobStore, Bodies
from services.gateway.keys.data_keys import Connecting, CurrentKeys, KeyRing
from services.gateway.keys.key_sealing import FILE, VAULT, FileSealer, KeySealers
from services.gateway.keys.large_bodies import LargeBodies
from services.gateway.keys.sealing import read_sealing_key
from services.gateway.keys.store_blobs import PostgresBlobs
from services.gateway.settings import GatewaySettings, SealingSettings

CONNECT_SECONDS: Final = 2.0
COMMAND_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Safe:
    """The keys and the blob store of one process."""

    current: CurrentKeys
    ring: KeyRing
    blobs: BlobStore
    large: LargeBodies

    def bodies(self) -> Bodies:
        """Return what opens bodies: one for each reader, all with the same keys."""
        return Bodies(self.ring, self.blobs)


@asynccontextmanager
async def opened_safe(settings: GatewaySettings, connecting: Connecting) -> AsyncIterator[Safe]:
    """Yield what `settings` name, reached through `connecting` where it is in the database.

    Raises:
        WrongSetting: the sealing key file, Vault or the blob store is set up wrong.
    """
    async with key_sealers(settings) as sealers, _blob_store(settings, connecting) as blobs:
        yield Safe(
            current=CurrentKeys(sealers, settings.key_sealer),
            ring=KeyRing(connecting, sealers),
            blobs=blobs,
            large=LargeBodies(blobs, from_bytes=settings.record_body_bytes),
        )


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Yield a connection of its own, for who needs one seldom and must start without.

    Raises:
        OSError, asyncpg.PostgresError: the database cannot be reached.
    """
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, command_timeout=COMMAND_SECONDS)
    try:
        yield connection
    finally:
        await connection.close(timeout=1)


@asynccontextmanager
async def key_sealers(settings: SealingSettings) -> AsyncIterator[KeySealers]:
    """Yield what can wrap and unwrap data keys here: the file always, Vault where it is set up.

    Raises:
        WrongSetting: one of them is set up wrong.
    """
    in_file = FileSealer(*map(read_sealing_key, [settings.sealing_key_file, *settings.old_sealing_key_files]))
    if settings.key_sealer == FILE and not settings.vault_url:
        yield {FILE: in_file}
        return
    from services.gateway.adapters.vault_transit import VaultSealer  # noqa: PLC0415 - most starts do without HTTP

    vault = VaultSealer(settings.vault_url, token_file=settings.vault_token_file, mount=settings.vault_mount)
    try:
        yield {FILE: in_file, VAULT: vault}
    finally:
        await vault.close()


@asynccontextmanager
async def _blob_store(settings: GatewaySettings, connecting: Connecting) -> AsyncIterator[BlobStore]:
    if settings.blob_store == "postgres":
        yield PostgresBlobs(connecting)
        return
    from services.gateway.adapters.s3_blobs import S3Blobs, SignedV4, secret_key  # noqa: PLC0415 - as Vault's

    auth = SignedV4(
        key_id=settings.s3_access_key_id, secret=secret_key(settings.s3_secret_key_file), region=settings.s3_region
    )
    store = S3Blobs(settings.s3_url, bucket=settings.s3_bucket, auth=auth)
    try:
        yield store
    finally:
        await store.close()
