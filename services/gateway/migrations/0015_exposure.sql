-- Feeds of exposed credentials: sources of a third kind, what of them could not be read, what a vendor gave a hint of.

ALTER TABLE source
    DROP CONSTRAINT source_named,
    ADD CONSTRAINT source_named CHECK (source_id IN ('rmm/' || vendor || '/' || name, 'psa/' || vendor || '/' || name,
                                                     'exposure/' || vendor || '/' || name));

-- Deliveries that no rule can read, sealed to a key whose other half is offline: nobody here opens them.
CREATE TABLE exposure_quarantine (
    raw_id      uuid        PRIMARY KEY,
    source      text        NOT NULL,
    digest      bytea       NOT NULL CHECK (octet_length(digest) = 32),   -- keyed, of the body: a repeat is no second row
    received_at timestamptz NOT NULL,
    unread      integer     CHECK (unread > 0),         -- records of it that could not be read; null: the whole body
    reason      text        NOT NULL,
    key_id      text        NOT NULL,                   -- which offline key opens it
    sealed      bytea       NOT NULL,
    UNIQUE (source, digest)
);
ALTER TABLE exposure_quarantine ALTER COLUMN sealed SET STORAGE EXTERNAL;   -- ciphertext does not compress

-- Resources that a vendor says have changed: read from its API by their id, then forgotten.
CREATE TABLE exposure_hint (
    source       text        NOT NULL,
    organisation text        NOT NULL,                  -- the vendor's id of the client's tenant
    resource     text        NOT NULL,
    change       text        NOT NULL,
    raw_id       uuid        NOT NULL,                  -- the newest delivery that named it
    hinted_at    timestamptz NOT NULL,
    PRIMARY KEY (source, organisation, resource)
);

GRANT SELECT, DELETE ON exposure_quarantine TO patchline_operator;
GRANT SELECT ON exposure_hint TO patchline_operator;
