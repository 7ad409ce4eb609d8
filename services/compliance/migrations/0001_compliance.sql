-- What compliance keeps: the catalog, the evidence as it was told and as it was folded, and the obligations made of both.

-- The catalog, as the operator loaded it. Versions are kept: a figure names the one that it was counted with.
CREATE TABLE catalog_version (
    version   integer     PRIMARY KEY CHECK (version > 0),
    name      text        NOT NULL,
    digest    text        NOT NULL,                     -- of the normalised content: the same content is loaded once
    loaded_at timestamptz NOT NULL
);
CREATE TABLE catalog_product (
    version   integer NOT NULL REFERENCES catalog_version,
    product   text    NOT NULL,
    position  integer NOT NULL,                         -- the first product that selects a device is its product
    os_family text    NOT NULL,
    for_servers boolean,                                -- tells systems that share a KB apart while inventory cannot
    reads     text    NOT NULL CHECK (reads IN ('build', 'version', 'nothing')),
    line      text,                                     -- what a reading begins with to be comparable
    selectors jsonb   NOT NULL,
    PRIMARY KEY (version, product)
);
CREATE TABLE catalog_requirement (
    version        integer NOT NULL REFERENCES catalog_version,
    requirement_id uuid    NOT NULL,                    -- uuid5(product, train)
    product        text    NOT NULL,
    train          text    NOT NULL,
    PRIMARY KEY (version, requirement_id),
    UNIQUE (version, product, train)
);
CREATE TABLE catalog_release (
    version         integer     NOT NULL,
    requirement_id  uuid        NOT NULL,
    release         text        NOT NULL,
    released_at     timestamptz NOT NULL,
    severity        text        NOT NULL,
    fixed_build     text,
    build_confirmed boolean     NOT NULL,
    reboot          boolean     NOT NULL,
    supersedes      text[]      NOT NULL,
    catalogued_at   timestamptz NOT NULL,               -- when a version first had it
    PRIMARY KEY (version, requirement_id, release),
    FOREIGN KEY (version, requirement_id) REFERENCES catalog_requirement
);
CREATE TABLE catalog_patch (
    version        integer NOT NULL,
    scheme         text    NOT NULL CHECK (scheme IN ('kb', 'name')),
    name           text    NOT NULL,                    -- digits of a KB; a vendor's patch id or title, folded
    product        text    NOT NULL,
    requirement_id uuid    NOT NULL,
    release        text    NOT NULL,
    PRIMARY KEY (version, scheme, name, product),
    FOREIGN KEY (version, requirement_id, release) REFERENCES catalog_release
);

-- Up to which version the obligations were decided anew.
CREATE TABLE catalog_applied (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  integer NOT NULL
);
INSERT INTO catalog_applied (version) VALUES (0);

CREATE TABLE client (
    tenant_id uuid   PRIMARY KEY,
    name      text   NOT NULL,
    zone      text   NOT NULL,                          -- IANA name
    sequence  bigint NOT NULL
);

-- Inventory's newest record of each asset, as far as patch state needs it.
CREATE TABLE asset (
    asset_id         uuid        PRIMARY KEY,
    tenant_id        uuid        NOT NULL,
    sequence         bigint      NOT NULL,              -- of the record below; 0: none came yet
    removed_sequence bigint      NOT NULL,              -- of the last removal; 0: none. The higher one holds
    removed_at       timestamptz,                       -- of that removal
    source           text,
    device           text,
    hostname         text,
    os_family        text        NOT NULL,
    os_name          text,
    os_version       text,
    os_build         text,
    tier             text        NOT NULL,
    first_seen_at    timestamptz,
    product          text,                              -- of the catalog; null: no product selects it
    products_seen    text[]      NOT NULL               -- every product that any record of it ever was, sorted
) WITH (fillfactor = 70);
CREATE INDEX asset_of_tenant ON asset (tenant_id);

-- What one source says of one device: registers that fold the same in any order (rules_fold.py).
CREATE TABLE device (
    device_id uuid  PRIMARY KEY,                        -- uuid5(source, device)
    tenant_id uuid  NOT NULL,
    source    text  NOT NULL,
    device    text  NOT NULL,
    asset_id  uuid,                                     -- null: parked, inventory has not told of it yet
    registers jsonb NOT NULL
) WITH (fillfactor = 60);
CREATE INDEX device_of_asset ON device (asset_id);

-- What one source says of one patch on one device.
CREATE TABLE evidence (
    device_id      uuid  NOT NULL,
    patch_id       uuid  NOT NULL,                      -- of the KB, else of the vendor's product and patch id
    tenant_id      uuid  NOT NULL,
    kb             text,
    patch          text  NOT NULL,
    product        text,                                -- the vendor's word, where there is no KB
    requirement_id uuid,                                -- null: parked for the catalog, or for inventory
    registers      jsonb NOT NULL,
    PRIMARY KEY (device_id, patch_id)
) WITH (fillfactor = 60);
CREATE INDEX evidence_of_requirement ON evidence (device_id, requirement_id);

-- Everything that was said, once each, for ever: what happened when, and when we knew.
CREATE TABLE patch_fact (
    event_id     uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    source       text        NOT NULL,
    device       text        NOT NULL,
    device_id    uuid        NOT NULL,
    patch_id     uuid,                                  -- null: about the device
    type         text        NOT NULL,
    method       text        NOT NULL,
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    effective_at timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    facts        jsonb       NOT NULL
);
CREATE INDEX patch_fact_of_device ON patch_fact (device_id, effective_at);

CREATE TABLE obligation (
    asset_id         uuid        NOT NULL,
    requirement_id   uuid        NOT NULL,
    tenant_id        uuid        NOT NULL,
    product          text        NOT NULL,
    train            text        NOT NULL,
    os_family        text        NOT NULL,              -- with tier and severity: the cell that counts it
    tier             text        NOT NULL,
    severity         text        NOT NULL,
    state            text        NOT NULL,
    why              text        NOT NULL,
    since_at         timestamptz NOT NULL,              -- when what makes the state true happened
    release          text,
    clock_started_at timestamptz,
    due_at           timestamptz,
    next_change_at   timestamptz,                       -- when time alone may change the state
    verified_at      timestamptz,
    failures         integer     NOT NULL,
    code             text,
    moments          jsonb       NOT NULL,
    PRIMARY KEY (asset_id, requirement_id)
) WITH (fillfactor = 60);
CREATE INDEX obligation_next_change ON obligation (next_change_at) WHERE next_change_at IS NOT NULL;
CREATE INDEX obligation_cell ON obligation (tenant_id, os_family, tier, severity, state);

CREATE TABLE obligation_history (
    event_id       uuid        PRIMARY KEY,             -- of the published fact
    asset_id       uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    tenant_id      uuid        NOT NULL,
    before         text,
    state          text        NOT NULL,
    why            text        NOT NULL,
    release        text,
    severity       text        NOT NULL,
    due_at         timestamptz,
    failures       integer     NOT NULL,
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL,
    caused_by      uuid,                                -- null: time alone
    catalog        integer     NOT NULL,
    policy         text        NOT NULL
);
CREATE INDEX obligation_history_of ON obligation_history (asset_id, requirement_id, recorded_at);

-- Who said so, how, and when they looked: what the states were decided from.
CREATE TABLE witness (
    asset_id       uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    event_id       uuid        NOT NULL,
    saw            text        NOT NULL,
    tenant_id      uuid        NOT NULL,
    source         text        NOT NULL,
    method         text        NOT NULL,
    at             timestamptz NOT NULL,
    PRIMARY KEY (asset_id, requirement_id, event_id, saw)
);

-- Patches that no catalog knew when they failed: what was last published of each.
CREATE TABLE uncatalogued_failure (
    asset_id       uuid    NOT NULL,
    patch_id       uuid    NOT NULL,
    tenant_id      uuid    NOT NULL,
    patch          text    NOT NULL,
    kb             text,
    product        text,
    failing        boolean NOT NULL,
    failures       integer NOT NULL,
    requirement_id uuid,                                -- not null: the catalog came to know it
    PRIMARY KEY (asset_id, patch_id)
);

-- Cells whose obligations changed since they were last counted: only ever appended to, so that no batch waits.
CREATE TABLE figure_touched (
    tenant_id uuid NOT NULL,
    os_family text NOT NULL,
    tier      text NOT NULL,
    severity  text NOT NULL
);
CREATE TABLE figure (
    tenant_id  uuid        NOT NULL,
    os_family  text        NOT NULL,
    tier       text        NOT NULL,
    severity   text        NOT NULL,
    population integer     NOT NULL,
    percent    numeric,
    counts     jsonb       NOT NULL,
    as_of      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, os_family, tier, severity)
);

-- Assets to decide anew: the catalog or the client's zone changed.
CREATE TABLE recheck (
    asset_id  uuid        PRIMARY KEY,
    tenant_id uuid        NOT NULL,
    cause_id  uuid        NOT NULL,
    cause_at  timestamptz NOT NULL
);

SELECT patchline.isolate('client');
SELECT patchline.isolate('asset');
SELECT patchline.isolate('device');
SELECT patchline.isolate('evidence');
SELECT patchline.isolate('patch_fact');
SELECT patchline.isolate('obligation');
SELECT patchline.isolate('obligation_history');
SELECT patchline.isolate('witness');
SELECT patchline.isolate('uncatalogued_failure');
SELECT patchline.isolate('figure_touched');
SELECT patchline.isolate('figure');
SELECT patchline.isolate('recheck');

-- `patchline catalog load` adds versions; it can never change or remove one.
GRANT SELECT, INSERT ON catalog_version, catalog_product, catalog_requirement, catalog_release, catalog_patch
    TO patchline_operator;
GRANT SELECT ON catalog_applied TO patchline_operator;
