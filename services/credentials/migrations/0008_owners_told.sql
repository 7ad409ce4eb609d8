-- Which owners' enrolments and revocations were told to those who verify what owners sign.
CREATE TABLE owner_told (
    tenant_id   uuid        NOT NULL,
    approver_id uuid        NOT NULL REFERENCES approver,
    what        text        NOT NULL CHECK (what IN ('enrolled', 'revoked')),
    told_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, approver_id, what)
);
SELECT patchline.isolate('owner_told');
