-- The keys of the raw bodies, one current one per source, and the bodies that are too large for a Kafka record.

CREATE TABLE data_key (
    key_id       uuid        PRIMARY KEY,
    number       bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,   -- the highest that is not destroyed seals
    source_id    text        NOT NULL REFERENCES source,
    sealer       text        NOT NULL,                  -- what wrapped it: file, vault
    wrapped      bytea,                                 -- gone when destroyed
    created_at   timestamptz NOT NULL DEFAULT now(),
    retired_at   timestamptz,                           -- seals no more; what it sealed still opens
    destroyed_at timestamptz,                           -- what it sealed never opens again
    destroyed_by text,
    forgotten_at timestamptz,                           -- the key management system, too, destroyed what it had of it
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL)),
    CHECK ((destroyed_by IS NULL) = (destroyed_at IS NULL)),
    CHECK (destroyed_at IS NULL OR retired_at IS NOT NULL),
    CHECK (forgotten_at IS NULL OR destroyed_at IS NOT NULL)
);
CREATE UNIQUE INDEX data_key_current ON data_key (source_id) WHERE retired_at IS NULL;
CREATE INDEX data_key_source ON data_key (source_id, number DESC);

-- Sealed bodies by the SHA-256 of what is kept here, which is ciphertext: it says nothing about the body.
CREATE TABLE blob (
    hash      bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
    source_id text        NOT NULL,
    body      bytea       NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE blob ALTER COLUMN body SET STORAGE EXTERNAL;    -- ciphertext does not compress

-- The operator retires and destroys keys and never reads one, wrapped or not.
GRANT SELECT (key_id, number, source_id, sealer, created_at, retired_at, destroyed_at, destroyed_by, forgotten_at),
      UPDATE (wrapped, retired_at, destroyed_at, destroyed_by, forgotten_at)
    ON data_key TO patchline_operator;
