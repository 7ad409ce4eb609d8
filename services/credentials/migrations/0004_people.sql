-- People: who may decide, what they were asked, what they decided, and what was written to whom.

-- Who may decide. No client's row: one person decides for several clients, so readers get nothing of it.
CREATE TABLE approver (
    approver_id uuid        PRIMARY KEY,
    name        text        NOT NULL CHECK (name <> ''),
    mail        text        NOT NULL CHECK (mail <> ''),
    accounts    text[]      NOT NULL,                   -- logins and ids by which directories know this person, folded
    tenants     uuid[],                                 -- for whom they decide; null: every client
    role        text        NOT NULL CHECK (role IN ('approver', 'owner')),  -- an owner signs for their client, decides no reset
    public_key  bytea       NOT NULL UNIQUE CHECK (octet_length(public_key) = 32),
    enrolled_at timestamptz NOT NULL,
    enrolled_by text        NOT NULL,
    revoked_at  timestamptz,
    revoked_by  text,
    revoked_why text,
    CHECK (role <> 'owner' OR tenants IS NOT NULL),
    CHECK (num_nonnulls(revoked_at, revoked_by, revoked_why) IN (0, 3))
);
CREATE UNIQUE INDEX approver_mail ON approver (mail) WHERE revoked_at IS NULL;

-- One question about one case. Its row is locked before anything about it changes.
CREATE TABLE request (
    request_id  uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL,
    case_id     uuid        NOT NULL,
    number      integer     NOT NULL,
    login       text        NOT NULL,
    identity    text,
    exposed     text[]      NOT NULL,                   -- every name of the exposed account, folded: it decides nothing
    why         text        NOT NULL,
    nonce       text        NOT NULL,
    needed      integer     NOT NULL CHECK (needed > 0),
    asked_at    timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    state       text        NOT NULL CHECK (state IN ('open', 'granted', 'refused', 'expired', 'withdrawn')),
    ended_at    timestamptz,
    cause_id    uuid        NOT NULL,
    received_at timestamptz NOT NULL,
    traceparent text,
    correlation text,
    UNIQUE (case_id, number)
);
CREATE UNIQUE INDEX request_open ON request (case_id) WHERE state = 'open';
CREATE INDEX request_overdue ON request (expires_at) WHERE state = 'open';

-- What people decided: once each.
CREATE TABLE approval (
    request_id  uuid        NOT NULL REFERENCES request,
    approver_id uuid        NOT NULL REFERENCES approver,
    tenant_id   uuid        NOT NULL,
    approve     boolean     NOT NULL,
    way         text        NOT NULL CHECK (way IN ('link', 'key')),
    event_id    uuid        NOT NULL,                   -- of the event, or of the signed statement
    counted_at  timestamptz NOT NULL,
    PRIMARY KEY (request_id, approver_id)
);

-- Links that were mailed, by the digest of their token: the token itself is nowhere.
CREATE TABLE link (
    digest      text        PRIMARY KEY,
    request_id  uuid        NOT NULL REFERENCES request,
    approver_id uuid        NOT NULL REFERENCES approver,
    tenant_id   uuid        NOT NULL,
    made_at     timestamptz NOT NULL
);

-- Signed statements as the command line brought them; the service checks the signature and answers.
CREATE TABLE statement (
    statement_id uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    request_id   uuid        NOT NULL REFERENCES request,
    approver_id  uuid        NOT NULL REFERENCES approver,
    approve      boolean     NOT NULL,
    decided_at   timestamptz NOT NULL,
    signature    bytea       NOT NULL CHECK (octet_length(signature) = 64),
    brought_at   timestamptz NOT NULL,
    brought_by   text        NOT NULL,
    state        text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'counted', 'refused')),
    answer       text
);
CREATE INDEX statement_pending ON statement (brought_at) WHERE state = 'pending';

-- What is written to people: the owner's notice of a case, and the links of a request. Never the words, which name people.
CREATE TABLE notice (
    message_id  text        PRIMARY KEY,                -- stable: a mail that is sent twice is one
    tenant_id   uuid        NOT NULL,
    case_id     uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('owner', 'approval')),
    recipient   text        NOT NULL,
    request_id  uuid        REFERENCES request,
    approver_id uuid        REFERENCES approver,
    state       text        NOT NULL CHECK (state IN ('pending', 'leased', 'parked', 'dropped', 'done')),
    due_at      timestamptz NOT NULL,                   -- of a leased one: when the lease ends
    attempts    integer     NOT NULL DEFAULT 0,
    acted_at    timestamptz,                            -- it may have been sent at or after this moment
    reason      text,
    sent_at     timestamptz,
    made_at     timestamptz NOT NULL
);
CREATE INDEX notice_due ON notice (due_at) WHERE kind = 'approval' AND state IN ('pending', 'leased');
CREATE INDEX notice_of_case ON notice (case_id);

SELECT patchline.isolate('request');
SELECT patchline.isolate('approval');
SELECT patchline.isolate('link');
SELECT patchline.isolate('statement');
SELECT patchline.isolate('notice');

-- What a used link brings is the digest of its token, over Kafka: whoever reads digests could use links of others.
REVOKE SELECT ON link FROM patchline_reader, patchline_operator;

-- `patchline approver`: people are enrolled and revoked, and nothing of them is changed; a revoked one stays revoked.
GRANT SELECT, INSERT, UPDATE (revoked_at, revoked_by, revoked_why) ON approver TO patchline_operator;
CREATE FUNCTION approver_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF old.revoked_at IS NOT NULL THEN
        RAISE EXCEPTION 'a revoked approver stays revoked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER approver_stays_revoked BEFORE UPDATE ON approver
    FOR EACH ROW EXECUTE FUNCTION approver_stays_revoked();

-- `patchline case approve`: whoever brings a statement cannot answer it.
GRANT INSERT (statement_id, tenant_id, request_id, approver_id, approve, decided_at, signature, brought_at, brought_by)
    ON statement TO patchline_operator;
