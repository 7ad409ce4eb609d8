-- Tickets: what they are about, which devices they list, and what is still to be done at the tracker.

-- Our own copy of the clients: what the PSA calls them.
CREATE TABLE client (
    tenant_id   uuid   PRIMARY KEY,
    name        text   NOT NULL,
    psa_company text,
    sequence    bigint NOT NULL
);

-- What a ticket is about: one client's one problem. Its row is locked before anything about it changes.
CREATE TABLE matter (
    tenant_id  uuid    NOT NULL,
    kind       text    NOT NULL CHECK (kind IN ('patch_failed', 'failed_uncatalogued')),
    subject    text    NOT NULL,
    about      jsonb   NOT NULL,                        -- product, train, patch ...: words for the ticket
    generation integer NOT NULL DEFAULT 0,              -- of the last ticket opened for it; 0: none yet
    ticket_key text,                                    -- its newest ticket, which may have begun as another matter's
    PRIMARY KEY (tenant_id, kind, subject)
);
CREATE INDEX matter_of_ticket ON matter (ticket_key);

-- The newest word on each device and matter; what is older comes late and changes nothing.
CREATE TABLE standing (
    tenant_id uuid   NOT NULL,
    kind      text   NOT NULL,
    subject   text   NOT NULL,
    asset     text   NOT NULL,
    sequence  bigint NOT NULL,
    state     text   NOT NULL,
    PRIMARY KEY (asset, kind, subject, tenant_id)
) WITH (fillfactor = 80);

CREATE TABLE ticket (
    ticket_key  text        PRIMARY KEY,                -- the tracker knows it by this too
    tenant_id   uuid        NOT NULL,
    kind        text        NOT NULL,
    subject     text        NOT NULL,
    generation  integer     NOT NULL,
    state       text        NOT NULL CHECK (state IN ('open', 'resolved', 'closed')),  -- resolved by us, closed by a person
    adopted_by  text,                                   -- the requirement that the unknown patch turned out to be
    external    text,                                   -- the tracker's own number
    title       text,                                   -- as it was opened
    last_number integer     NOT NULL,                   -- of its intents
    looked_at   timestamptz,                            -- when it was last seen open at the tracker
    duplicates  text[]      NOT NULL DEFAULT '{}',      -- other tickets of the same key, reported on this one
    created_at  timestamptz NOT NULL,
    UNIQUE (tenant_id, kind, subject, generation)
);

CREATE TABLE ticket_device (
    ticket_key       text        NOT NULL REFERENCES ticket,
    asset            text        NOT NULL,
    tenant_id        uuid        NOT NULL,
    label            jsonb       NOT NULL,              -- hostname, source, device, os_family, tier
    release          text,                              -- of the requirement, when the device was last judged
    code             text,                              -- the vendor's result code, verbatim
    failures         integer     NOT NULL,              -- so far
    noted_failures   integer,                           -- as the ticket says; null: the ticket does not list it yet
    checked_failures integer     NOT NULL DEFAULT 0,    -- when the ticket was last seen open
    listed_at        timestamptz NOT NULL,
    cleared_as       text,                              -- the state that took it off the list; null: it is failing
    noted_cleared    boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (ticket_key, asset)
);

-- What is to be done at the tracker, one after the other for each ticket.
CREATE TABLE intent (
    ticket_key  text        NOT NULL REFERENCES ticket,
    number      integer     NOT NULL,
    tenant_id   uuid        NOT NULL,
    kind        text        NOT NULL CHECK (kind IN ('open', 'append', 'resolve', 'reopen')),
    state       text        NOT NULL CHECK (state IN ('pending', 'leased', 'uncertain', 'parked', 'done')),
    due_at      timestamptz NOT NULL,                   -- when a worker may take it; of a leased one: when the lease ends
    attempts    integer     NOT NULL DEFAULT 0,         -- also tells an old lease from a new one
    why         text        NOT NULL DEFAULT '',
    plan        jsonb,                                  -- what to say, fixed before it is said; null: still growing
    reservation text,                                   -- the tracker's one-time link, stored before its use
    acted_at    timestamptz,                            -- a write may have happened at or after this moment
    reason      text,                                   -- why the last attempt failed, or what became of it
    cause_id    uuid        NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    traceparent text,
    correlation text,
    created_at  timestamptz NOT NULL,
    done_at     timestamptz,
    PRIMARY KEY (ticket_key, number)
) WITH (fillfactor = 70);
CREATE INDEX intent_due ON intent (tenant_id, due_at) WHERE state IN ('pending', 'leased', 'uncertain');
CREATE INDEX intent_open ON intent (ticket_key, number) WHERE state <> 'done';

-- Every event that was handled, for ever: what is here already changes nothing.
CREATE TABLE history (
    event_id    uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL,
    type        text        NOT NULL,
    subject     text        NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL
);

SELECT patchline.isolate('client');
SELECT patchline.isolate('matter');
SELECT patchline.isolate('standing');
SELECT patchline.isolate('ticket');
SELECT patchline.isolate('ticket_device');
SELECT patchline.isolate('intent');
SELECT patchline.isolate('history');

-- `patchline ticket retry`: what is parked is tried again, and nothing else can be changed.
GRANT UPDATE (state, due_at) ON intent TO patchline_operator;
CREATE POLICY operator_retries ON intent AS RESTRICTIVE FOR UPDATE TO patchline_operator
    USING (state = 'parked') WITH CHECK (state = 'pending');
