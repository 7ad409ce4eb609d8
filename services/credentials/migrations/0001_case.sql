-- Cases of exposed credentials: what is known of each, what is to be done, and how far it is.

-- Our own copy of the clients.
CREATE TABLE client (
    tenant_id     uuid   PRIMARY KEY,
    name          text   NOT NULL,
    zone          text   NOT NULL,
    owner_contact text,
    sequence      bigint NOT NULL
);

-- One exposed person or account of one client. At most one of each identity is open.
CREATE TABLE exposure_case (
    case_id         uuid        PRIMARY KEY,            -- ids.case_id
    tenant_id       uuid        NOT NULL,
    identity_key    text        NOT NULL,               -- directory and immutable id; where nobody is known: the login
    number          integer     NOT NULL,               -- the client's n-th case of that identity
    login           text        NOT NULL,
    directory       text,                               -- null: no account is known
    object_id       text,
    kind            text        NOT NULL,
    privileged      boolean     NOT NULL,
    strength        text        NOT NULL CHECK (strength IN ('weak', 'real')),
    evidence_at     timestamptz NOT NULL,               -- a password changed after this moment is not the exposed one
    session         boolean     NOT NULL,               -- a session was exposed too: a new password alone does not end it
    decision        text        NOT NULL,
    rule            text        NOT NULL,               -- the row of the table that decided
    why             text        NOT NULL,
    dry_run         boolean     NOT NULL,
    approved        boolean     NOT NULL DEFAULT false, -- enough people agreed, in time
    turned_down     boolean     NOT NULL DEFAULT false, -- a person said no, or nobody answered in time
    failed          text,                               -- why the directory refused what was decided; a person must act
    retry_at        timestamptz,                        -- a person asked that it is decided again
    told_by_hand    text,                               -- how a person told the owner, where no mail could
    feed            text        NOT NULL,
    source          text        NOT NULL,
    breach          text,
    exposures       integer     NOT NULL DEFAULT 1,
    ticket_key      text,
    ticket_number   text,                               -- the tracker's own
    ticket_closed_at timestamptz,                       -- when a person closed it
    password_before timestamptz,                        -- the password's last change before ours, by the directory's clock
    password_after  timestamptz,                        -- and after it, as it was read back, by the same clock
    reset_at        timestamptz,                        -- when we made the password invalid
    proof           text,
    cause_id        uuid        NOT NULL,               -- the exposure that opened it
    occurred_at     timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    traceparent     text,
    correlation     text,
    opened_at       timestamptz NOT NULL,
    closed_at       timestamptz,
    UNIQUE (tenant_id, identity_key, number)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX one_open_case ON exposure_case (tenant_id, identity_key) WHERE closed_at IS NULL;
CREATE INDEX case_reset ON exposure_case (tenant_id, reset_at) WHERE reset_at IS NOT NULL;

-- What is to be done about a case, one step after the other; the last row that is not done is whose turn it is.
CREATE TABLE case_step (
    case_id   uuid        NOT NULL REFERENCES exposure_case,
    step      text        NOT NULL,
    tenant_id uuid        NOT NULL,
    state     text        NOT NULL
              CHECK (state IN ('pending', 'leased', 'uncertain', 'parked', 'passed', 'done')),  -- passed: gone on without it
    due_at    timestamptz NOT NULL,                     -- when a worker may take it; of a leased one: when the lease ends
    attempts  integer     NOT NULL DEFAULT 0,           -- also tells an old lease from a new one
    acted_at  timestamptz,                              -- an act may have happened at or after this moment
    reason    text,                                     -- why it waits, or why the last attempt failed
    proof     text,                                     -- what was seen, in words without a secret
    done_at   timestamptz,
    PRIMARY KEY (case_id, step)
) WITH (fillfactor = 70);
CREATE INDEX case_step_due ON case_step (tenant_id, due_at) WHERE state IN ('pending', 'leased', 'uncertain');

-- Every exposure that arrived, with the case it belongs to; null: held, because its delivery names too many.
CREATE TABLE exposure (
    event_id     uuid        NOT NULL,
    identity_key text        NOT NULL,
    tenant_id    uuid        NOT NULL,
    case_id      uuid        REFERENCES exposure_case,
    login        text        NOT NULL,
    source       text        NOT NULL,
    found        jsonb       NOT NULL,                  -- the event, which has no secret
    occurred_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    released_at  timestamptz,                           -- a person said that what is held becomes cases after all
    PRIMARY KEY (event_id)
);
CREATE INDEX exposure_held ON exposure (tenant_id, recorded_at) WHERE case_id IS NULL;
CREATE INDEX exposure_of_case ON exposure (case_id);
CREATE INDEX exposure_of_identity ON exposure (tenant_id, identity_key);

-- Every event that was handled, for ever: what is here already changes nothing.
CREATE TABLE history (
    event_id    uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL,
    type        text        NOT NULL,
    subject     text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    causation   uuid,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX history_causation ON history (causation) WHERE causation IS NOT NULL;

SELECT patchline.isolate('client');
SELECT patchline.isolate('exposure_case');
SELECT patchline.isolate('case_step');
SELECT patchline.isolate('exposure');
SELECT patchline.isolate('history');

-- `patchline case retry`: what is parked is tried again, what waits is decided again, and nothing else can be changed.
GRANT UPDATE (state, due_at) ON case_step TO patchline_operator;
CREATE POLICY operator_retries ON case_step AS RESTRICTIVE FOR UPDATE TO patchline_operator
    USING (state IN ('parked', 'pending')) WITH CHECK (state = 'pending');
-- `patchline case told`: a person told the owner.
GRANT UPDATE (retry_at, told_by_hand) ON exposure_case TO patchline_operator;
CREATE POLICY operator_retries ON exposure_case AS RESTRICTIVE FOR UPDATE TO patchline_operator
    USING (closed_at IS NULL) WITH CHECK (closed_at IS NULL);
-- `patchline case release`: what is held becomes cases.
GRANT UPDATE (released_at) ON exposure TO patchline_operator;
CREATE POLICY operator_releases ON exposure AS RESTRICTIVE FOR UPDATE TO patchline_operator
    USING (case_id IS NULL) WITH CHECK (case_id IS NULL);
