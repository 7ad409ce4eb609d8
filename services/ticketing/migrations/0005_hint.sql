-- What a ticket system says of tickets of ours, until the ticket was read again; then the row goes.
CREATE TABLE hint (
    event_id    uuid        PRIMARY KEY,
    ticket_key  text        NOT NULL,
    tenant_id   uuid        NOT NULL,
    change      text        NOT NULL,
    by_whom     text,                                   -- the tracker's name of who did it, where it was told
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    traceparent text,
    due_at      timestamptz NOT NULL,                   -- when the ticket may be read; of a leased one: when the next may
    attempts    integer     NOT NULL DEFAULT 0,
    reason      text                                    -- why it was not read, or not believed yet
);
CREATE INDEX hint_due ON hint (due_at);
CREATE INDEX hint_of_ticket ON hint (ticket_key);

SELECT patchline.isolate('hint');
