-- What is watched for clients whose policy asks for it: machines, sources, restarts, maintenance windows.

-- By which policy each client's machines are watched: another one, and all of them are looked at anew.
CREATE TABLE monitor_agreed (
    tenant_id  uuid        PRIMARY KEY,
    policy     text        NOT NULL,
    noticed_at timestamptz NOT NULL
);

-- Machines to look at: only ever appended to, so that no batch waits.
CREATE TABLE monitor_touched (
    asset_id  uuid NOT NULL,
    tenant_id uuid NOT NULL
);

CREATE TABLE monitor_watch (
    asset_id  uuid        PRIMARY KEY,
    tenant_id uuid        NOT NULL,
    since_at  timestamptz NOT NULL,                     -- watched from then on: nothing could be noticed before
    look_at   timestamptz NOT NULL                      -- when time alone may change something, or at once
) WITH (fillfactor = 70);
CREATE INDEX monitor_watch_look ON monitor_watch (look_at);
CREATE INDEX monitor_watch_of_tenant ON monitor_watch (tenant_id);

-- How each monitor stands, as it was told last; and everything that was told, for ever: so delays can be measured.
CREATE TABLE monitor_state (
    asset_id    uuid        NOT NULL,
    monitor     text        NOT NULL,
    tenant_id   uuid        NOT NULL,
    failing     boolean     NOT NULL,
    why         text        NOT NULL,
    happened_at timestamptz NOT NULL,
    detected_at timestamptz NOT NULL,
    PRIMARY KEY (asset_id, monitor)
);
CREATE INDEX monitor_state_of_tenant ON monitor_state (tenant_id) WHERE failing;
CREATE TABLE monitor_history (
    event_id      uuid        PRIMARY KEY,
    asset_id      uuid        NOT NULL,
    tenant_id     uuid        NOT NULL,
    monitor       text        NOT NULL,
    failing       boolean     NOT NULL,
    why           text        NOT NULL,
    happened_at   timestamptz NOT NULL,
    detected_at   timestamptz NOT NULL,
    delay_seconds double precision NOT NULL CHECK (delay_seconds >= 0),
    late          boolean     NOT NULL,
    policy        text        NOT NULL
);
CREATE INDEX monitor_history_of_tenant ON monitor_history (tenant_id, detected_at);

-- What was said of restarts to come: notices, deferrals, consents, approvals. Facts, each once.
CREATE TABLE reboot_word (
    event_id    uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL,
    device_id   uuid        NOT NULL,
    source      text        NOT NULL,
    said        text        NOT NULL CHECK (said IN ('notified', 'deferred', 'consented', 'approved')),
    at          timestamptz NOT NULL,
    by          text,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX reboot_word_of_device ON reboot_word (device_id, at);
CREATE INDEX reboot_word_of_tenant ON reboot_word (tenant_id);

-- Every restart since the client's policy holds, and what it was by that policy.
CREATE TABLE reboot (
    asset_id     uuid        NOT NULL,
    booted_at    timestamptz NOT NULL,
    tenant_id    uuid        NOT NULL,
    verdict      text        NOT NULL,
    why          text        NOT NULL,
    deployed     boolean     NOT NULL,
    rule         text,
    window_name  text,
    notified_at  timestamptz,
    deferrals    integer     NOT NULL,
    consented_by text,
    consented_at timestamptz,
    policy       text        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    told         integer     NOT NULL,                  -- how often: once, and again when later words changed it
    PRIMARY KEY (asset_id, booted_at)
);
CREATE INDEX reboot_of_tenant ON reboot (tenant_id, booted_at);

-- Which occurrence of each used window is judged next, and up to which machine it was.
CREATE TABLE window_watch (
    tenant_id   uuid        NOT NULL,
    window_name text        NOT NULL,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    judge_at    timestamptz NOT NULL,
    after_asset uuid,
    PRIMARY KEY (tenant_id, window_name)
);
CREATE INDEX window_watch_judge ON window_watch (judge_at);
CREATE TABLE window_missed (
    asset_id    uuid        NOT NULL,
    window_name text        NOT NULL,
    tenant_id   uuid        NOT NULL,
    misses      integer     NOT NULL CHECK (misses >= 0),
    starts_at   timestamptz,                            -- of the last occurrence that was judged
    ends_at     timestamptz,
    ticket      boolean     NOT NULL,
    PRIMARY KEY (asset_id, window_name)
);
CREATE INDEX window_missed_of_tenant ON window_missed (tenant_id) WHERE misses > 0;

-- When a source last said anything of a client: words are only ever appended, at most one a minute and process.
CREATE TABLE source_word (
    source    text        NOT NULL,
    tenant_id uuid        NOT NULL,
    heard_at  timestamptz NOT NULL
);
CREATE TABLE source_watch (
    source    text        NOT NULL,
    tenant_id uuid        NOT NULL,
    heard_at  timestamptz NOT NULL,
    silent    boolean     NOT NULL,
    look_at   timestamptz,                              -- when it will have been silent for too long; null: it is
    PRIMARY KEY (source, tenant_id)
);
CREATE INDEX source_watch_look ON source_watch (look_at) WHERE look_at IS NOT NULL;

-- Why a person retired a machine, in their words; null: its source removed it, or it is there.
ALTER TABLE asset ADD COLUMN removed_reason text;

-- A client's machines are worked through in the order of their ids.
DROP INDEX asset_of_tenant;
CREATE INDEX asset_of_tenant ON asset (tenant_id, asset_id);

SELECT patchline.isolate('monitor_agreed');
SELECT patchline.isolate('monitor_touched');
SELECT patchline.isolate('monitor_watch');
SELECT patchline.isolate('monitor_state');
SELECT patchline.isolate('monitor_history');
SELECT patchline.isolate('reboot_word');
SELECT patchline.isolate('reboot');
SELECT patchline.isolate('window_watch');
SELECT patchline.isolate('window_missed');
SELECT patchline.isolate('source_word');
SELECT patchline.isolate('source_watch');
