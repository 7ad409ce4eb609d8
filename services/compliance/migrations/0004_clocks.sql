-- The calendar: which tz data the service reads, when clients' windows come, and deadlines that are being decided anew.

-- Each version of the tz data that the service began to read, in order; the last one holds.
CREATE TABLE tzdata_read (
    number  integer     PRIMARY KEY CHECK (number > 0),
    version text        NOT NULL,
    read_at timestamptz NOT NULL
);
-- The rules of each zone in each version, as compiled: so what a version said can be asked when it is gone.
CREATE TABLE zone_rules (
    version text  NOT NULL,
    zone    text  NOT NULL,
    rules   bytea NOT NULL,                             -- TZif, RFC 9636
    PRIMARY KEY (version, zone)
);

-- The windows of each client's policy, and up to when their occurrences are written down below.
CREATE TABLE window_rule (
    tenant_id    uuid        NOT NULL,
    window_name  text        NOT NULL,
    digest       text        NOT NULL,                  -- of the rule: another one is another window
    zone         text        NOT NULL,
    tzdata       text        NOT NULL,
    spread_until timestamptz NOT NULL,
    empty        boolean     NOT NULL,                  -- nothing comes: told once, and when it ends
    PRIMARY KEY (tenant_id, window_name)
);
CREATE TABLE window_occurrence (
    tenant_id   uuid        NOT NULL,
    window_name text        NOT NULL,
    start_at    timestamptz NOT NULL,
    end_at      timestamptz NOT NULL CHECK (end_at > start_at),
    local       text        NOT NULL,                   -- the start on the wall, as the rule says it
    note        text,                                   -- what a change of the clocks did to it
    PRIMARY KEY (tenant_id, window_name, start_at)
);
CREATE INDEX window_occurrence_start ON window_occurrence (start_at);
CREATE INDEX window_occurrence_end ON window_occurrence (end_at);

-- When obligations were due before something moved deadlines that nobody agreed anew; gone once that was told.
CREATE TABLE deadline_before (
    asset_id       uuid        NOT NULL,
    requirement_id uuid        NOT NULL,
    tenant_id      uuid        NOT NULL,
    due_at         timestamptz NOT NULL,
    why            text        NOT NULL,
    noticed_at     timestamptz NOT NULL,
    PRIMARY KEY (asset_id, requirement_id)
);

SELECT patchline.isolate('window_rule');
SELECT patchline.isolate('window_occurrence');
SELECT patchline.isolate('deadline_before');

GRANT SELECT ON tzdata_read, window_rule, window_occurrence TO patchline_operator;
