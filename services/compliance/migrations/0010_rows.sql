-- What a batch writes travels as one array of rows, not as one array a column (ADR 0064).
-- A type is never altered: a process of the release before still sends it. Another shape is another type.

CREATE TYPE obligation_row AS (
    asset_id         uuid,
    requirement_id   uuid,
    tenant_id        uuid,
    product          text,
    train            text,
    os_family        text,
    tier             text,
    severity         text,
    state            text,
    why              text,
    since_at         timestamptz,
    release          text,
    clock_started_at timestamptz,
    due_at           timestamptz,
    next_change_at   timestamptz,
    verified_at      timestamptz,
    failures         integer,
    code             text,
    moments          text,                              -- JSON
    rule             text,
    proof            text,
    breached_at      timestamptz
);

CREATE TYPE transition_row AS (
    event_id       uuid,
    asset_id       uuid,
    requirement_id uuid,
    tenant_id      uuid,
    before         text,
    state          text,
    why            text,
    release        text,
    severity       text,
    due_at         timestamptz,
    failures       integer,
    occurred_at    timestamptz,
    caused_by      uuid,
    policy         text,
    rule           text,
    proof          text
);

CREATE TYPE witness_row AS (
    asset_id       uuid,
    requirement_id uuid,
    event_id       uuid,
    saw            text,
    tenant_id      uuid,
    source         text,
    method         text,
    at             timestamptz
);

CREATE TYPE patch_fact_row AS (
    event_id     uuid,
    tenant_id    uuid,
    source       text,
    device       text,
    device_id    uuid,
    patch_id     uuid,
    type         text,
    method       text,
    occurred_at  timestamptz,
    received_at  timestamptz,
    effective_at timestamptz,
    facts        text                                   -- JSON
);

CREATE TYPE evidence_row AS (
    device_id      uuid,
    patch_id       uuid,
    tenant_id      uuid,
    kb             text,
    patch          text,
    product        text,
    requirement_id uuid,
    registers      text                                 -- JSON
);
