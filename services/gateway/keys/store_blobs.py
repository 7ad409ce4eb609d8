"""Large sealed bodies in PostgreSQL, by the hash of what is kept."""

from collections.abc import Sequence
from typing import Final, LiteralString

from services.gateway.keys.data_keys import Connecting

PUT: Final[LiteralString] = """
    INSERT INTO blob (hash, source_id, body) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING
"""
FETCH: Final[LiteralString] = "SELECT hash, body FROM blob WHERE hash = ANY($1::bytea[])"


class PostgresBlobs:
    """The blob store unless a setting says otherwise: backed up with everything else."""

    def __init__(self, connecting: Connecting) -> None:
        """Reach the database through `connecting`."""
        self._connecting = connecting

    async def put(self, blob: str, source: str, body: bytes) -> None:
        """Keep `body`; durable when this returns. A repeat is a no-op.

        Raises:
            OSError, asyncpg.PostgresError: the database cannot be reached.
        """
        async with self._connecting() as connection:
            await connection.execute(PUT, bytes.fromhex(blob), source, body)

    async def fetch(self, blobs: Sequence[str]) -> dict[str, bytes]:
        """Return those of `blobs` that are there; a name that is no hash is not.

        Raises:
            OSError, asyncpg.PostgresError: the database cannot be reached.
        """
        hashes = [bytes.fromhex(each) for each in blobs if is_hash(each)]
        async with self._connecting() as connection:
            rows = await connection.fetch(FETCH, hashes)
        return {row["hash"].hex(): row["body"] for row in rows}


def is_hash(text: str) -> bool:
    """Return whether `text` is a SHA-256 as it is written in a header: it comes from a record that anyone may send."""
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)
