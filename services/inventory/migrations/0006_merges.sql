-- Which assets are one machine. An asset's own row stays what its (source, device) pair is; this says whose words count
-- together. People's decisions and the automaton's are in no raw topic: back these tables up, a rebuild keeps them.

-- Assets that were ever merged. Alone again: `surviving_id` is its own id.
CREATE TABLE asset_merge (
    asset_id     uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    surviving_id uuid        NOT NULL,                  -- the smallest of those that are one
    since_at     timestamptz NOT NULL,                  -- of the last merge or unmerge that concerned it: grows
    CHECK (surviving_id <= asset_id)
);
CREATE INDEX asset_merge_of_surviving ON asset_merge (surviving_id);

-- Every decision, for ever.
CREATE TABLE asset_merge_history (
    decision_id  uuid        PRIMARY KEY,
    tenant_id    uuid        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('merged', 'unmerged')),
    assets       uuid[]      NOT NULL,                  -- merged: all that are one now; unmerged: the one taken out
    surviving_id uuid        NOT NULL,                  -- of those that are one now
    by_hand      boolean     NOT NULL,
    who          text        NOT NULL,
    why          text        NOT NULL,
    evidence     jsonb       NOT NULL,                  -- the words by which they are one, as they were then
    decided_at   timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL
);
CREATE INDEX asset_merge_history_of_tenant ON asset_merge_history (tenant_id, decided_at);

-- What a person took apart: never joined or suggested by the automaton again.
CREATE TABLE asset_apart (
    smaller_id uuid        NOT NULL,
    larger_id  uuid        NOT NULL,
    tenant_id  uuid        NOT NULL,
    since_at   timestamptz NOT NULL,
    PRIMARY KEY (smaller_id, larger_id),
    CHECK (smaller_id < larger_id)
);
CREATE INDEX asset_apart_larger ON asset_apart (larger_id);

-- Serial numbers of live devices, as they are compared.
CREATE INDEX asset_serial ON asset (lower(serial), tenant_id) WHERE serial IS NOT NULL AND removed_at IS NULL;

SELECT patchline.isolate('asset_merge');
SELECT patchline.isolate('asset_merge_history');
SELECT patchline.isolate('asset_apart');

-- `patchline asset merge|unmerge` decides and publishes in one transaction, as `patchline client` does. Whoever decides
-- locks the assets' rows, which takes the right to update a column: the one that says how often a row was written.
GRANT INSERT, UPDATE (tenant_id, surviving_id, since_at) ON asset_merge TO patchline_operator;
GRANT INSERT ON asset_merge_history TO patchline_operator;
GRANT INSERT ON asset_apart TO patchline_operator;
GRANT UPDATE (revision) ON asset TO patchline_operator;
GRANT INSERT (shard, topic, key, headers, value) ON outbox TO patchline_operator;
GRANT SELECT, INSERT, UPDATE (sequence) ON aggregate_sequence TO patchline_operator;
