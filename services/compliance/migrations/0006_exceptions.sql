-- Exceptions and exclusions: what people decided is only ever appended to; each has a ticket, a signature, controls, an end.

-- Owners of clients, as credentials told of them: whose signature counts. Enrolment and revocation may come in any order.
CREATE TABLE owner_key (
    tenant_id   uuid        NOT NULL,
    approver_id uuid        NOT NULL,
    name        text        NOT NULL,
    public_key  bytea       NOT NULL CHECK (octet_length(public_key) = 32),
    enrolled_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, approver_id)
);
CREATE TABLE owner_revocation (
    tenant_id   uuid        NOT NULL,
    approver_id uuid        NOT NULL,
    revoked_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, approver_id)
);

CREATE TABLE exception_request (
    exception_id   uuid        PRIMARY KEY,
    tenant_id      uuid        NOT NULL,
    lane           text        NOT NULL CHECK (lane IN ('deferral', 'isolated')),
    requirement_id uuid,                                -- null: every requirement of the machines, in the isolated lane alone
    title          text        NOT NULL CHECK (length(title) BETWEEN 1 AND 512),  -- the requirement, for people
    asset_ids      uuid[]      CHECK (cardinality(asset_ids) > 0),      -- null: every machine of the client
    machines       text[]      NOT NULL CHECK (array_position(machines, '') IS NULL),  -- their names, for people
    reason         text        NOT NULL CHECK (reason <> ''),
    controls       jsonb       NOT NULL CHECK (jsonb_array_length(controls) > 0),
    valid_from     timestamptz NOT NULL CHECK (isfinite(valid_from)),
    until          timestamptz NOT NULL CHECK (isfinite(until)),
    renews         uuid        REFERENCES exception_request,
    renewal        integer     NOT NULL CHECK (renewal >= 0),           -- the how manieth renewal this is
    requested_at   timestamptz NOT NULL CHECK (isfinite(requested_at)),
    requested_by   text        NOT NULL CHECK (length(requested_by) BETWEEN 1 AND 512),
    told_at        timestamptz,
    UNIQUE (exception_id, tenant_id),                   -- so that what belongs to it is of the same client
    CHECK (until > valid_from AND until < '2200-01-01 00:00:00+00'),
    CHECK ((renews IS NULL) = (renewal = 0)),
    CHECK (NOT jsonb_path_exists(controls, '$[*] ? (@.text.type() != "string" || @.text == "" || !exists(@.text)
        || !(@.kind == "segmentation" || @.kind == "restricted_access" || @.kind == "monitoring"
             || @.kind == "workaround" || @.kind == "other"))')),
    CHECK (requirement_id IS NOT NULL OR (lane = 'isolated' AND asset_ids IS NOT NULL))
);
CREATE INDEX exception_request_untold ON exception_request (requested_at) WHERE told_at IS NULL;
CREATE INDEX exception_request_of ON exception_request (tenant_id);

CREATE TABLE exception_ticket (
    exception_id uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    ticket       text        NOT NULL CHECK (ticket <> ''),             -- the tracker's own number
    opened_at    timestamptz NOT NULL,
    FOREIGN KEY (exception_id, tenant_id) REFERENCES exception_request (exception_id, tenant_id)
);

-- What owners signed, as the command line brought it; the service checks the signature and answers.
CREATE TABLE exception_signoff (
    signoff_id   uuid        PRIMARY KEY,
    exception_id uuid        NOT NULL,
    tenant_id    uuid        NOT NULL,
    statement    text        NOT NULL,                  -- the canonical text, whole
    signature    bytea       NOT NULL CHECK (octet_length(signature) = 64),
    brought_at   timestamptz NOT NULL CHECK (isfinite(brought_at)),
    brought_by   text        NOT NULL CHECK (brought_by <> ''),
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'counted', 'refused')),
    answer       text,
    FOREIGN KEY (exception_id, tenant_id) REFERENCES exception_request (exception_id, tenant_id)
);
CREATE INDEX exception_signoff_pending ON exception_signoff (brought_at) WHERE state = 'pending';

-- What holds: no ticket, no owner's signature, no control or no expiry, no row.
CREATE TABLE exception (
    exception_id   uuid        PRIMARY KEY,
    tenant_id      uuid        NOT NULL,
    lane           text        NOT NULL CHECK (lane IN ('deferral', 'isolated')),
    requirement_id uuid,
    asset_ids      uuid[]      CHECK (cardinality(asset_ids) > 0),
    controls       jsonb       NOT NULL CHECK (jsonb_array_length(controls) > 0)
                               CHECK (NOT jsonb_path_exists(controls, '$[*] ? (!exists(@.text) || @.text == "")')),
    valid_from     timestamptz NOT NULL,
    until          timestamptz NOT NULL CHECK (isfinite(until)),
    renewal        integer     NOT NULL CHECK (renewal >= 0),
    ticket         text        NOT NULL CHECK (ticket <> ''),
    approver_id    uuid        NOT NULL,
    statement      text        NOT NULL CHECK (statement <> ''),
    signature      bytea       NOT NULL CHECK (octet_length(signature) = 64),
    signed_at      timestamptz NOT NULL,
    granted_at     timestamptz NOT NULL,                -- when we knew
    UNIQUE (exception_id, tenant_id),
    FOREIGN KEY (exception_id, tenant_id) REFERENCES exception_request (exception_id, tenant_id),
    FOREIGN KEY (tenant_id, approver_id) REFERENCES owner_key,
    CHECK (until > valid_from AND until > granted_at),
    CHECK (requirement_id IS NOT NULL OR (lane = 'isolated' AND asset_ids IS NOT NULL))
);
CREATE INDEX exception_of ON exception (tenant_id);

CREATE TABLE exception_revocation (
    exception_id uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    why          text        NOT NULL CHECK (why <> ''),
    revoked_at   timestamptz NOT NULL CHECK (isfinite(revoked_at)),
    revoked_by   text        NOT NULL CHECK (revoked_by <> ''),
    told_at      timestamptz,
    FOREIGN KEY (exception_id, tenant_id) REFERENCES exception (exception_id, tenant_id)
);
CREATE INDEX exception_revocation_untold ON exception_revocation (revoked_at) WHERE told_at IS NULL;

-- What became of each request: each chapter once.
CREATE TABLE exception_chapter (
    exception_id uuid        NOT NULL REFERENCES exception_request,
    chapter      text        NOT NULL CHECK (chapter IN ('requested', 'refused', 'lapsed', 'granted', 'renewed',
                                                         'expiring', 'expired', 'revoked')),
    tenant_id    uuid        NOT NULL,
    at           timestamptz NOT NULL,                  -- when it became true
    recorded_at  timestamptz NOT NULL,
    why          text        NOT NULL,
    PRIMARY KEY (exception_id, chapter)
);

-- High-volume or emergency updates that the service level does not count; their clock runs.
CREATE TABLE exclusion (
    exclusion_id uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    patches      text[]      NOT NULL CHECK (cardinality(patches) > 0 AND array_position(patches, '') IS NULL),
                                                        -- releases, as the catalog names them
    reason       text        NOT NULL CHECK (reason <> ''),
    approver     text        NOT NULL CHECK (length(approver) BETWEEN 1 AND 512),
    valid_from   timestamptz NOT NULL CHECK (isfinite(valid_from)),
    until        timestamptz NOT NULL CHECK (isfinite(until)),
    recorded_at  timestamptz NOT NULL CHECK (isfinite(recorded_at)),
    recorded_by  text        NOT NULL CHECK (recorded_by <> ''),
    told_at      timestamptz,
    UNIQUE (exclusion_id, tenant_id),
    CHECK (until > valid_from AND until < '2200-01-01 00:00:00+00')
);
CREATE INDEX exclusion_untold ON exclusion (recorded_at) WHERE told_at IS NULL;
CREATE INDEX exclusion_of ON exclusion (tenant_id);
CREATE TABLE exclusion_end (
    exclusion_id uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    why          text        NOT NULL CHECK (why <> ''),
    ended_at     timestamptz NOT NULL CHECK (isfinite(ended_at)),
    ended_by     text        NOT NULL CHECK (ended_by <> ''),
    told_at      timestamptz,
    FOREIGN KEY (exclusion_id, tenant_id) REFERENCES exclusion (exclusion_id, tenant_id)
);
CREATE INDEX exclusion_end_untold ON exclusion_end (ended_at) WHERE told_at IS NULL;

-- What time alone brings about, found by its moment; gone once it is told.
CREATE TABLE exception_timer (
    about_id  uuid        NOT NULL,                     -- of a request, an exception, or an exclusion
    what      text        NOT NULL CHECK (what IN ('lapsed', 'expiring', 'expired', 'exclusion_ended')),
    tenant_id uuid        NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (about_id, what)
);
CREATE INDEX exception_timer_at ON exception_timer (at);

SELECT patchline.isolate('owner_key');
SELECT patchline.isolate('owner_revocation');
SELECT patchline.isolate('exception_request');
SELECT patchline.isolate('exception_ticket');
SELECT patchline.isolate('exception_signoff');
SELECT patchline.isolate('exception');
SELECT patchline.isolate('exception_revocation');
SELECT patchline.isolate('exception_chapter');
SELECT patchline.isolate('exclusion');
SELECT patchline.isolate('exclusion_end');
SELECT patchline.isolate('exception_timer');

-- Nobody changes what was granted, not even the service.
REVOKE UPDATE, DELETE ON exception, exception_chapter FROM compliance_writer;

-- `patchline exception` and `patchline exclusion` add; whoever brings a signature cannot answer it, nor grant.
GRANT INSERT (exception_id, tenant_id, lane, requirement_id, title, asset_ids, machines, reason, controls, valid_from,
              until, renews, renewal, requested_at, requested_by) ON exception_request TO patchline_operator;
GRANT INSERT (signoff_id, exception_id, tenant_id, statement, signature, brought_at, brought_by)
    ON exception_signoff TO patchline_operator;
GRANT INSERT (exception_id, tenant_id, why, revoked_at, revoked_by) ON exception_revocation TO patchline_operator;
GRANT INSERT (exclusion_id, tenant_id, patches, reason, approver, valid_from, until, recorded_at, recorded_by)
    ON exclusion TO patchline_operator;
GRANT INSERT (exclusion_id, tenant_id, why, ended_at, ended_by) ON exclusion_end TO patchline_operator;
