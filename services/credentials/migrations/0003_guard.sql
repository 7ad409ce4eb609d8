-- What a machine may do about a client's credentials, what stops it, and by when what is promised must have happened.
-- The tenant 00000000-0000-0000-0000-000000000000 stands for all clients together: a breaker and a document of their own.

-- What a client allows; every version of it is kept, the newest holds.
CREATE TABLE guard_document (
    tenant_id uuid        NOT NULL,
    version   integer     NOT NULL CHECK (version > 0),
    document  jsonb       NOT NULL,
    reason    text        NOT NULL,
    set_by    text        NOT NULL,
    set_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

-- One breaker per client, and one for all. No row: armed from the beginning.
CREATE TABLE breaker (
    tenant_id uuid        PRIMARY KEY,
    state     text        NOT NULL CHECK (state IN ('armed', 'tripped', 'killed')),
    why       text        NOT NULL,
    moved_by  text        NOT NULL,
    moved_at  timestamptz,                              -- null: it never moved
    armed_at  timestamptz,                              -- what was counted before does not count any more
    moves     integer     NOT NULL                      -- number of the last one
);

-- Each move of a breaker, for ever. What a person does at the command line acts at once; the process tells it on.
CREATE TABLE breaker_move (
    tenant_id uuid        NOT NULL,
    number    integer     NOT NULL,
    state     text        NOT NULL CHECK (state IN ('armed', 'tripped', 'killed')),
    why       text        NOT NULL,
    moved_by  text        NOT NULL,
    moved_at  timestamptz NOT NULL,
    held      integer     NOT NULL DEFAULT 0,           -- accounts that are not acted on because of it
    told_at   timestamptz,
    PRIMARY KEY (tenant_id, number)
);
CREATE INDEX breaker_move_untold ON breaker_move (moved_at) WHERE told_at IS NULL;

-- One row per case whose account a machine was allowed to touch: what the caps count.
CREATE TABLE guard_act (
    tenant_id   uuid        NOT NULL,
    case_id     uuid        NOT NULL,
    privileged  boolean     NOT NULL,
    allowed_at  timestamptz NOT NULL,
    succeeded   boolean,                                -- null: under way
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, case_id)
);
CREATE INDEX guard_act_of_client ON guard_act (tenant_id, allowed_at);
CREATE INDEX guard_act_of_all ON guard_act (allowed_at);

-- Who was named by which feed, once in an hour: what a sudden volume is compared with. Kept for 31 days.
CREATE TABLE guard_arrival (
    tenant_id     uuid        NOT NULL,
    source        text        NOT NULL,
    account       text        NOT NULL,
    received_hour timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    privileged    boolean     NOT NULL,
    PRIMARY KEY (tenant_id, source, account, received_hour)
);
CREATE INDEX guard_arrival_at ON guard_arrival (tenant_id, received_at);

-- The service level: what each case has to show, and by when.
CREATE TABLE promise (
    tenant_id   uuid        NOT NULL,
    case_id     uuid        NOT NULL,
    promise     text        NOT NULL CHECK (promise IN ('ticket', 'reset', 'notice', 'verified')),
    login       text        NOT NULL,
    identity    text,
    is_foreign  boolean     NOT NULL,
    dry_run     boolean     NOT NULL,                   -- everything is shown and nothing done: nothing is owed
    began_at    timestamptz NOT NULL,                   -- the alert's arrival
    due_at      timestamptz NOT NULL,
    kept_at     timestamptz,
    broken_at   timestamptz,                            -- when it was told that it is missing
    waived_at   timestamptz,                            -- not owed in this case, as it was decided
    cause_id    uuid        NOT NULL,
    received_at timestamptz NOT NULL,
    traceparent text,
    correlation text,
    PRIMARY KEY (tenant_id, case_id, promise)
) WITH (fillfactor = 70);
CREATE INDEX promise_due ON promise (due_at) WHERE kept_at IS NULL AND broken_at IS NULL AND waived_at IS NULL;
CREATE INDEX promise_began ON promise (tenant_id, began_at);

SELECT patchline.isolate('guard_document');
SELECT patchline.isolate('breaker');
SELECT patchline.isolate('breaker_move');
SELECT patchline.isolate('guard_act');
SELECT patchline.isolate('guard_arrival');
SELECT patchline.isolate('promise');

-- `patchline guard set`: a version is added, none is ever changed.
GRANT INSERT ON guard_document TO patchline_operator;
-- `patchline breaker arm|trip|kill`: the move acts with its commit; that it was told is for the process alone to say.
GRANT INSERT, UPDATE ON breaker TO patchline_operator;
GRANT INSERT (tenant_id, number, state, why, moved_by, moved_at, held) ON breaker_move TO patchline_operator;
