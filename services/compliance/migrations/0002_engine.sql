-- What deciding by a client's own policy needs: the machine's tags, the row that set the deadline, the kind of proof.

ALTER TABLE asset
    ADD COLUMN tags         jsonb NOT NULL DEFAULT '[]',    -- inventory's words for it, sorted
    ADD COLUMN ephi         boolean,                        -- null: nobody said
    ADD COLUMN last_seen_at timestamptz;

ALTER TABLE obligation
    ADD COLUMN rule        text,                            -- regime and row by which it is due; null: no clock runs
    ADD COLUMN proof       text,                            -- what kind of evidence verified it
    ADD COLUMN breached_at timestamptz;                     -- the deadline that passed; null: not overdue, or not told
CREATE INDEX obligation_breached ON obligation (tenant_id, due_at) WHERE breached_at IS NOT NULL;

ALTER TABLE obligation_history
    ADD COLUMN rule  text,
    ADD COLUMN proof text;

ALTER TABLE figure ADD COLUMN attested integer NOT NULL DEFAULT 0;  -- verified by a person's word alone

-- What a person says of one machine and one release, with the digest of the file that was shown. Only ever added to.
CREATE TABLE attestation (
    number         bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
    attestation_id uuid        PRIMARY KEY,                 -- of its content: the same is kept once
    tenant_id      uuid        NOT NULL,
    asset_id       uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    release        text        NOT NULL,
    attested_at    timestamptz NOT NULL,                    -- when it was looked at
    attested_by    text        NOT NULL CHECK (attested_by <> ''),
    reason         text        NOT NULL CHECK (reason <> ''),
    evidence       text        NOT NULL CHECK (evidence ~ '^[0-9a-f]{64}$'),
    evidence_name  text        NOT NULL,
    recorded_at    timestamptz NOT NULL CHECK (recorded_at >= attested_at)
);
CREATE INDEX attestation_of_asset ON attestation (asset_id);

-- Up to which attestation the obligations were decided anew.
CREATE TABLE attestation_applied (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    number   bigint  NOT NULL
);
INSERT INTO attestation_applied (number) VALUES (0);

SELECT patchline.isolate('attestation');

-- `patchline obligation attest` adds them; nobody changes or removes one, or chooses its number.
REVOKE UPDATE, DELETE, TRUNCATE ON attestation FROM compliance_writer;
GRANT INSERT (attestation_id, tenant_id, asset_id, requirement_id, release, attested_at, attested_by, reason, evidence,
              evidence_name, recorded_at) ON attestation TO patchline_operator;
