-- One row per asset: the newest word on each field, and the stamp of the fact that set it.
CREATE TABLE asset (
    asset_id          uuid        PRIMARY KEY,          -- uuid5(source, device)
    tenant_id         uuid        NOT NULL,
    source            text        NOT NULL,
    device            text        NOT NULL,             -- the vendor's own id at that source
    hostname          text,
    os_family         text        NOT NULL,
    os_family_from    text        NOT NULL,             -- stated, os_name or default: how sure we are, and from what
    os_name           text,
    os_version        text,
    os_build          text,
    tier              text        NOT NULL,
    tier_from         text        NOT NULL,             -- stated, tags, os_name or default
    owner             text,
    location          text,
    serial            text,
    tags              text[]      NOT NULL,             -- sorted, without repeats
    ephi              boolean,                          -- null: nobody said
    ephi_from         text        NOT NULL,             -- stated, tags or default
    online            boolean,
    last_boot_at      timestamptz,
    removed_at        timestamptz,                      -- not null: the vendor deleted it; it may come back
    first_seen_at     timestamptz NOT NULL,
    last_seen_at      timestamptz NOT NULL,
    announced_seen_at timestamptz NOT NULL,             -- last_seen_at in the newest published record
    revision          bigint      NOT NULL,             -- grows by one with every write: guards against a lost update
    stamps            bytea       NOT NULL              -- of each field; see services/inventory/rules_stamp.py
) WITH (fillfactor = 60);
CREATE INDEX asset_of_tenant ON asset (tenant_id);

-- What the RMMs said about devices themselves, for ever; patch and alert facts are kept by compliance.
CREATE TABLE device_fact (
    event_id     uuid        PRIMARY KEY,
    source       text        NOT NULL,
    device       text        NOT NULL,
    tenant_id    uuid        NOT NULL,                  -- as the event said; a device that moves leaves its past behind
    type         text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    facts        jsonb       NOT NULL
);
CREATE INDEX device_fact_of_device ON device_fact (source, device, effective_at);

-- Our own copy of the clients' names.
CREATE TABLE client (
    tenant_id uuid   PRIMARY KEY,
    name      text   NOT NULL,
    sequence  bigint NOT NULL
);

SELECT patchline.isolate('asset');
SELECT patchline.isolate('device_fact');
SELECT patchline.isolate('client');
