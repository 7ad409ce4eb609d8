-- Machines that a person retired. Decisions of people are in no raw topic: back this table up, a rebuild keeps it.
ALTER TABLE asset ADD COLUMN retired_at timestamptz;    -- of the last retirement; removed_at says whether it still holds

CREATE TABLE asset_retirement (
    decision_id uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL,
    assets      uuid[]      NOT NULL,                   -- the machine's pairs, all of them
    reason      text        NOT NULL CHECK (reason <> ''),
    who         text        NOT NULL CHECK (who <> ''),
    retired_at  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL
);
CREATE INDEX asset_retirement_of_tenant ON asset_retirement (tenant_id, retired_at);

SELECT patchline.isolate('asset_retirement');

-- `patchline asset retire` decides, writes and publishes in one transaction, as `patchline asset merge` does.
GRANT SELECT, INSERT ON asset_retirement TO patchline_operator;
GRANT UPDATE (removed_at, retired_at, stamps) ON asset TO patchline_operator;
