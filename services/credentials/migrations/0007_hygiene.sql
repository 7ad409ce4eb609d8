-- The hygiene of each client's accounts: what is wrong with them, and who leaves and what of it is done.

-- What a monitor finds now, and what it has found before.
CREATE TABLE hygiene_finding (
    tenant_id uuid        NOT NULL,
    monitor   text        NOT NULL,
    about     text        NOT NULL,                     -- a login, or what else the monitor looks at
    failing   boolean     NOT NULL,
    why       text        NOT NULL,
    since     timestamptz NOT NULL,                     -- it is so
    PRIMARY KEY (tenant_id, monitor, about)
);

-- When each client was last looked at. Its row is locked while somebody looks.
CREATE TABLE hygiene_round (
    tenant_id uuid        PRIMARY KEY,
    looked_at timestamptz,                              -- null: never
    fresh_at  timestamptz                               -- of its directories: the newest reading that was looked at
);

-- Somebody leaves: which accounts are theirs, and since when these must be dead.
CREATE TABLE offboarding (
    offboarding_id uuid        PRIMARY KEY,
    tenant_id      uuid        NOT NULL,
    login          text        NOT NULL,                -- lower-case NFKC
    directories    text[]      NOT NULL,                -- with object_ids: the accounts that had that login then
    object_ids     text[]      NOT NULL,
    leaves_at      timestamptz NOT NULL,
    started_at     timestamptz NOT NULL,
    started_by     text        NOT NULL,
    called_off_at  timestamptz,
    called_off_by  text,
    CHECK (cardinality(directories) = cardinality(object_ids)),
    CHECK ((called_off_at IS NULL) = (called_off_by IS NULL))
);
CREATE UNIQUE INDEX offboarding_under_way ON offboarding (tenant_id, login) WHERE called_off_at IS NULL;

-- The client's checklist as it was when the offboarding began.
CREATE TABLE offboarding_item (
    offboarding_id uuid        NOT NULL REFERENCES offboarding,
    number         integer     NOT NULL CHECK (number > 0),
    tenant_id      uuid        NOT NULL,
    item           text        NOT NULL,
    done_at        timestamptz,
    done_by        text,
    note           text,
    PRIMARY KEY (offboarding_id, number),
    CHECK ((done_at IS NULL) = (done_by IS NULL))
);

SELECT patchline.isolate('hygiene_finding');
SELECT patchline.isolate('hygiene_round');
SELECT patchline.isolate('offboarding');
SELECT patchline.isolate('offboarding_item');

-- `patchline offboarding`: what is done stays done, by whom it was.
GRANT INSERT (offboarding_id, tenant_id, login, directories, object_ids, leaves_at, started_at, started_by),
      UPDATE (called_off_at, called_off_by)
    ON offboarding TO patchline_operator;
GRANT INSERT (offboarding_id, number, tenant_id, item), UPDATE (done_at, done_by, note)
    ON offboarding_item TO patchline_operator;
CREATE POLICY operator_calls_off ON offboarding AS RESTRICTIVE FOR UPDATE TO patchline_operator
    USING (called_off_at IS NULL) WITH CHECK (called_off_at IS NOT NULL);
CREATE POLICY operator_completes ON offboarding_item AS RESTRICTIVE FOR UPDATE TO patchline_operator
    USING (done_at IS NULL) WITH CHECK (done_at IS NOT NULL);
