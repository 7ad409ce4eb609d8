-- What a batch writes travels as one array of rows, not as one array a column (ADR 0064).
-- A type is never altered: a process of the release before still sends it. Another shape is another type.

CREATE TYPE asset_row AS (
    asset_id          uuid,
    tenant_id         uuid,
    source            text,
    device            text,
    hostname          text,
    os_family         text,
    os_family_from    text,
    os_name           text,
    os_version        text,
    os_build          text,
    tier              text,
    tier_from         text,
    owner             text,
    location          text,
    serial            text,
    tags              text[],
    ephi              boolean,
    ephi_from         text,
    online            boolean,
    last_boot_at      timestamptz,
    removed_at        timestamptz,
    first_seen_at     timestamptz,
    last_seen_at      timestamptz,
    announced_seen_at timestamptz,
    revision          bigint,
    stamps            bytea
);

-- What an ordinary day moves of an asset.
CREATE TYPE asset_moved_row AS (
    asset_id          uuid,
    os_build          text,
    online            boolean,
    last_boot_at      timestamptz,
    last_seen_at      timestamptz,
    announced_seen_at timestamptz,
    revision          bigint,
    stamps            bytea
);

CREATE TYPE device_fact_row AS (
    event_id     uuid,
    source       text,
    device       text,
    tenant_id    uuid,
    type         text,
    occurred_at  timestamptz,
    received_at  timestamptz,
    effective_at timestamptz,
    facts        text                                   -- JSON
);
