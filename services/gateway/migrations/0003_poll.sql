-- What the pollers remember: when each source is due, and what its last reading said.

CREATE TABLE poll_state (
    source            text        PRIMARY KEY REFERENCES source (source_id),
    next_at           timestamptz NOT NULL,
    lease             uuid,                             -- of the poll under way
    leased_until      timestamptz,
    last_succeeded_at timestamptz,
    last_failed_at    timestamptz,
    failures          integer     NOT NULL DEFAULT 0,   -- in a row
    last_error        text,
    CHECK ((lease IS NULL) = (leased_until IS NULL))
);

-- One row per kind of facts (`device`, `os`, `software`, `installs`) of each device.
CREATE TABLE poll_snapshot (
    source     text        NOT NULL REFERENCES source (source_id),
    kind       text        NOT NULL,
    device     text        NOT NULL,
    digest     bytea       NOT NULL,                    -- empty: to be looked at again, whatever the next reading says
    scanned_at timestamptz,                             -- of a list: its last known scan
    facts      jsonb       NOT NULL,
    read_at    timestamptz NOT NULL,
    PRIMARY KEY (source, kind, device)
);

GRANT SELECT ON poll_state TO patchline_operator;
