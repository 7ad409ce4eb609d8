-- Who may deliver (sources, with at most two live secrets each), whose devices they are (clients), and which vendor
-- organisation belongs to which client at what time.

CREATE TABLE client (
    tenant_id     uuid        PRIMARY KEY,              -- from the name it was first added under; survives a new name
    name          text        NOT NULL UNIQUE CHECK (name <> ''),
    zone          text        NOT NULL,                 -- IANA name
    owner_contact text,
    psa_company   text,
    added_at      timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL
);

CREATE TABLE source (
    source_id            text        PRIMARY KEY CHECK (source_id = 'rmm/' || vendor || '/' || name),
    vendor               text        NOT NULL,
    name                 text        NOT NULL,
    scheme               text        NOT NULL CHECK (scheme IN ('standard-webhooks', 'static-header')),
    header_name          text        CHECK ((header_name IS NULL) = (scheme <> 'static-header')),
    enabled              boolean     NOT NULL DEFAULT true,
    api_url              text,                          -- where the poller asks; null: it is not polled
    client_id            text,
    sealed_client_secret bytea,                         -- sealing.py, purpose API
    poll_seconds         integer     CHECK (poll_seconds > 0),
    quarantined_at       timestamptz,                   -- accepted still, translated no more
    quarantine_reason    text,
    added_at             timestamptz NOT NULL,
    CHECK ((api_url IS NULL) = (poll_seconds IS NULL)),
    CHECK (api_url IS NOT NULL OR num_nonnulls(client_id, sealed_client_secret) = 0)
);

CREATE TABLE source_secret (
    source_id  text        NOT NULL REFERENCES source,
    slot       smallint    NOT NULL CHECK (slot IN (0, 1)),
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    material   bytea,                                   -- HMAC key, sealed; or SHA-256 of a static secret; gone when retired
    PRIMARY KEY (source_id, slot, created_at),
    CHECK ((material IS NULL) = (retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX source_secret_live ON source_secret (source_id, slot) WHERE retired_at IS NULL;

CREATE TABLE client_mapping (
    source_id    text        NOT NULL REFERENCES source,
    organisation text        NOT NULL CHECK (organisation <> ''),  -- the vendor's id of it
    site         text        CHECK (site <> ''),        -- null: every site that has no mapping of its own
    tenant_id    uuid        NOT NULL REFERENCES client,
    valid_from   timestamptz,                           -- included; null: since ever
    valid_to     timestamptz,                           -- not included; null: until further notice
    CHECK (valid_from < valid_to),
    UNIQUE NULLS NOT DISTINCT (source_id, organisation, site, valid_from)
);
CREATE INDEX client_mapping_tenant ON client_mapping (tenant_id);

SELECT patchline.isolate('client');
SELECT patchline.isolate('client_mapping');

-- The operator works for all tenants but names them in each transaction; the owner may list them for it. The table's
-- row-level security is forced, so the function's owner needs a policy of its own.
CREATE POLICY owner_lists ON client FOR SELECT TO patchline_owner USING (true);
CREATE FUNCTION all_tenants() RETURNS uuid[] STABLE SECURITY DEFINER LANGUAGE sql
    SET search_path = gateway, pg_temp
    AS $$ SELECT coalesce(array_agg(tenant_id ORDER BY tenant_id), '{}') FROM client $$;
REVOKE ALL ON FUNCTION all_tenants() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION all_tenants() TO patchline_operator;

-- What `patchline source` and `patchline client` write. The operator never reads a secret back, sealed or not.
GRANT INSERT, UPDATE (name, zone, owner_contact, psa_company, changed_at) ON client TO patchline_operator;
GRANT INSERT, UPDATE (valid_to) ON client_mapping TO patchline_operator;
GRANT SELECT (source_id, vendor, name, scheme, header_name, enabled, api_url, client_id, poll_seconds,
              quarantined_at, quarantine_reason, added_at),
      INSERT,
      UPDATE (header_name, enabled, api_url, client_id, sealed_client_secret, poll_seconds,
              quarantined_at, quarantine_reason)
    ON source TO patchline_operator;
GRANT SELECT (source_id, slot, created_at, retired_at), INSERT, UPDATE (retired_at, material)
    ON source_secret TO patchline_operator;

-- A client's record is published in the transaction that changes it, through the one outbox and the one numbering that
-- every event uses. The operator can reach Kafka anyway, so a narrower door here would protect nothing.
GRANT INSERT (shard, topic, key, headers, value) ON outbox TO patchline_operator;
GRANT SELECT, INSERT, UPDATE (sequence) ON aggregate_sequence TO patchline_operator;
