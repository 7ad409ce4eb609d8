-- What became of raw records: which events are known, what waits for a client, what a source's hour consisted of.

-- Every event that was ever made of a delivery, parked ones and codes without an event included: a repeat is a no-op.
CREATE TABLE translated (
    event_id    uuid        PRIMARY KEY,
    source      text        NOT NULL,
    raw_id      uuid        NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- Events whose organisation belongs to no client, or to two, at their time. Adding the mapping releases them.
CREATE TABLE parked (
    event_id     uuid        PRIMARY KEY,
    position     bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,   -- the order in which they are released
    source       text        NOT NULL,
    device       text        NOT NULL,
    organisation text,                                  -- null: the vendor did not say
    site         text,
    effective_at timestamptz NOT NULL,                  -- what a dated mapping is asked for
    received_at  timestamptz NOT NULL,
    reason       text        NOT NULL CHECK (reason IN ('no organisation', 'no client', 'two clients')),
    type         text        NOT NULL,
    headers      text        NOT NULL,                  -- as in the outbox, without the tenant
    event        text        NOT NULL,                  -- canonical JSON
    recorded_at  timestamptz NOT NULL
);
CREATE INDEX parked_organisation ON parked (source, organisation, position);

-- The organisation that a device was last seen in, for events that name only the device.
CREATE TABLE device_organisation (
    source       text        NOT NULL,
    device       text        NOT NULL,
    organisation text        NOT NULL,
    site         text,
    seen_at      timestamptz NOT NULL,
    PRIMARY KEY (source, device)
) WITH (fillfactor = 80);

-- The standing audit, first equation: every delivery that was read is in exactly one column.
CREATE TABLE flow (
    source           text        NOT NULL,
    received_hour    timestamptz NOT NULL,
    deliveries       bigint      NOT NULL,
    translated       bigint      NOT NULL,
    duplicate        bigint      NOT NULL,
    parked           bigint      NOT NULL,
    dead_lettered    bigint      NOT NULL,
    quarantined      bigint      NOT NULL,
    unknown          bigint      NOT NULL,
    ignored          bigint      NOT NULL,
    events           bigint      NOT NULL,              -- published at once
    events_duplicate bigint      NOT NULL,
    events_parked    bigint      NOT NULL,
    events_released  bigint      NOT NULL DEFAULT 0,    -- of the parked ones
    PRIMARY KEY (source, received_hour),
    CHECK (deliveries = translated + duplicate + parked + dead_lettered + quarantined + unknown + ignored),
    CHECK (events_released <= events_parked)
) WITH (fillfactor = 50);

-- Codes that no adapter knows, verbatim. Each distinct event is counted once.
CREATE TABLE unknown_code (
    source       text        NOT NULL,
    code         text        NOT NULL,
    count        bigint      NOT NULL,
    first_raw_id uuid        NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (source, code)
);

-- The outcomes of a source's last records, newest last, `1` for a bad one. No row: all good.
CREATE TABLE source_health (
    source text PRIMARY KEY,
    recent text NOT NULL CHECK (recent ~ '^[01]+$')
) WITH (fillfactor = 50);

GRANT SELECT (event_id, position, source, device, organisation, site, effective_at, received_at, reason, type,
              recorded_at) ON parked TO patchline_operator;
GRANT SELECT ON translated, flow, unknown_code TO patchline_operator;
