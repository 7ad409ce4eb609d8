-- Which patch comes first, and what must be looked at before it: every decision with what it was made from.

-- The log: one row per decision, for ever. Not even the service's own writer may change one.
CREATE TABLE priority_decision (
    number         bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    decision_id    uuid        PRIMARY KEY,             -- of the published fact
    tenant_id      uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    product        text        NOT NULL,
    train          text        NOT NULL,
    release        text        NOT NULL,                -- the newest that these machines lack
    severity       text        NOT NULL,
    machines       text        NOT NULL,                -- their class, in words
    class          jsonb       NOT NULL,                -- the same in fields
    inputs         jsonb       NOT NULL,                -- what feeds said, with their versions
    table_id       text        NOT NULL,                -- the table that leads
    verdict        jsonb       NOT NULL,                -- what it says: outcome, at best, unknown points, assumed values
    also           jsonb       NOT NULL,                -- what the other tables say, by table
    outcome        text        NOT NULL,                -- what holds
    before         text,                                -- what held before; null: the first decision
    override       jsonb,                               -- whose word holds instead of the table's, why, until when
    decided_by     text        NOT NULL,
    policy         text        NOT NULL,
    catalog        text        NOT NULL,
    digest         text        NOT NULL,                -- of what could change it: the same is not logged again
    decided_at     timestamptz NOT NULL
);
CREATE INDEX priority_decision_of ON priority_decision (tenant_id, requirement_id, decided_at);
CREATE INDEX priority_decision_at ON priority_decision (tenant_id, decided_at);

-- The last decision of each, and on how many machines the requirement is open. 0: nothing is to be done at present.
CREATE TABLE priority_standing (
    tenant_id      uuid    NOT NULL,
    requirement_id uuid    NOT NULL,
    release        text    NOT NULL,
    machines       text    NOT NULL,
    decision_id    uuid    NOT NULL REFERENCES priority_decision,
    digest         text    NOT NULL,
    outcome        text    NOT NULL,
    open           integer NOT NULL CHECK (open >= 0),
    PRIMARY KEY (tenant_id, requirement_id, release, machines)
) WITH (fillfactor = 70);

-- A person's word instead of a table's. The last that was recorded holds; a null outcome gives the word back.
CREATE TABLE priority_override (
    number         bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    override_id    uuid        PRIMARY KEY,             -- of its content: the same is kept once
    tenant_id      uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    machines       text,                                -- a class; null: all machines of the client
    table_id       text        NOT NULL,
    outcome        text,
    reason         text        NOT NULL CHECK (reason <> ''),
    said_by        text        NOT NULL CHECK (said_by <> ''),
    valid_from     timestamptz NOT NULL,
    until          timestamptz NOT NULL CHECK (isfinite(until)),
    recorded_at    timestamptz NOT NULL,
    CHECK (until > valid_from)
);
CREATE INDEX priority_override_of ON priority_override (tenant_id, number);

-- When each client was last looked at, and what was seen then.
CREATE TABLE priority_mark (
    tenant_id  uuid        PRIMARY KEY,
    looked_at  timestamptz NOT NULL,
    figures_at timestamptz,                             -- of the newest figure
    inputs     text        NOT NULL,                    -- catalog, feeds and policy
    overrides  bigint      NOT NULL,                    -- number of the last one
    records    bigint      NOT NULL,                    -- number of the last step of a triage
    next_at    timestamptz                              -- when time alone may change an override
);

-- Clients of which a machine's tags changed since they were last looked at: only appended to, so that no batch waits.
CREATE TABLE priority_retagged (tenant_id uuid NOT NULL);
CREATE INDEX priority_retagged_of ON priority_retagged (tenant_id);

-- A forensic triage of one machine: its clocks, and how it was last told.
CREATE TABLE forensic_triage (
    asset_id       uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    started_at     timestamptz NOT NULL,                -- from when the clocks run
    tenant_id      uuid        NOT NULL,
    rule           text        NOT NULL,                -- regime and row that ask for it
    product        text        NOT NULL,
    train          text        NOT NULL,
    release        text        NOT NULL,
    began_at       timestamptz NOT NULL,                -- when we knew
    deployed_at    timestamptz,                         -- when a patch was first deployed since
    standing       jsonb       NOT NULL,                -- as it was last told
    closed_at      timestamptz,
    next_change_at timestamptz,
    PRIMARY KEY (asset_id, requirement_id, started_at)
) WITH (fillfactor = 70);
CREATE INDEX forensic_triage_open ON forensic_triage (tenant_id) WHERE closed_at IS NULL;
CREATE INDEX forensic_triage_next_change ON forensic_triage (next_change_at) WHERE next_change_at IS NOT NULL;

-- What people recorded of a triage, with the digest of what they kept. Only ever added to.
CREATE TABLE triage_record (
    number         bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    record_id      uuid        PRIMARY KEY,             -- of its content
    tenant_id      uuid        NOT NULL,
    asset_id       uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    step           text        NOT NULL CHECK (step IN ('scoping', 'evidence', 'decision')),
    done_at        timestamptz NOT NULL,
    found          text        CHECK (found IN ('none', 'suspected', 'confirmed')),
    note           text        NOT NULL CHECK (note <> ''),
    evidence       text        CHECK (evidence ~ '^[0-9a-f]{64}$'),
    evidence_name  text,
    recorded_by    text        NOT NULL CHECK (recorded_by <> ''),
    recorded_at    timestamptz NOT NULL CHECK (recorded_at >= done_at),
    CHECK ((step = 'decision') = (found IS NOT NULL)),
    CHECK (step <> 'evidence' OR evidence IS NOT NULL),
    CHECK ((evidence IS NULL) = (evidence_name IS NULL))
);
CREATE INDEX triage_record_of ON triage_record (asset_id, requirement_id);
CREATE INDEX triage_record_of_tenant ON triage_record (tenant_id, number);

SELECT patchline.isolate('priority_decision');
SELECT patchline.isolate('priority_standing');
SELECT patchline.isolate('priority_override');
SELECT patchline.isolate('priority_mark');
SELECT patchline.isolate('priority_retagged');
SELECT patchline.isolate('forensic_triage');
SELECT patchline.isolate('triage_record');

DO $$ BEGIN
    EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON priority_decision, priority_override, triage_record FROM %I',
                   current_schema() || '_writer');
END $$;

-- `patchline priority override` and `patchline triage record` add; they can never change or remove one, nor choose its number.
GRANT INSERT (override_id, tenant_id, requirement_id, machines, table_id, outcome, reason, said_by, valid_from, until,
              recorded_at) ON priority_override TO patchline_operator;
GRANT INSERT (record_id, tenant_id, asset_id, requirement_id, step, done_at, found, note, evidence, evidence_name,
              recorded_by, recorded_at) ON triage_record TO patchline_operator;
