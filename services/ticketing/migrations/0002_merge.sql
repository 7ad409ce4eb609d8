-- Two tickets of one key: which are to be merged, which were, and when the tracker was last looked through for them.

-- Asked for by whoever saw two; deleted when done. A repeat of the question changes nothing.
CREATE TABLE merge (
    ticket_key text        PRIMARY KEY REFERENCES ticket,
    tenant_id  uuid        NOT NULL,
    asked_at   timestamptz NOT NULL,
    due_at     timestamptz NOT NULL,                    -- when it may be tried; of a leased one: when the next may
    attempts   integer     NOT NULL DEFAULT 0,          -- also tells an old lease from a new one
    reason     text                                     -- why the last attempt failed
);
CREATE INDEX merge_due ON merge (due_at);

-- The tracker's own numbers of tickets that were merged into another one. Replaces ticket.duplicates, which the version
-- before this one still writes; nobody reads that any more.
CREATE TABLE merged (
    external   text        PRIMARY KEY,
    ticket_key text        NOT NULL REFERENCES ticket,
    tenant_id  uuid        NOT NULL,
    kept       text        NOT NULL,
    merged_at  timestamptz NOT NULL
);
CREATE INDEX merged_of_ticket ON merged (ticket_key);

-- Is this one of our tickets?
CREATE INDEX ticket_external ON ticket (external);

-- Rounds through the whole tracker: one process at a time.
CREATE TABLE round (
    name         text        PRIMARY KEY,
    due_at       timestamptz NOT NULL,                  -- when the next may begin; while one goes on: when its lease ends
    holder       uuid,
    completed_at timestamptz                            -- when the last complete one began
);
INSERT INTO round (name, due_at) VALUES ('duplicates', '1970-01-01 00:00:00+00');

SELECT patchline.isolate('merge');
SELECT patchline.isolate('merged');
