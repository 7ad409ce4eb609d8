-- Deliveries that Kafka did not take within the budget. They are answered 202 as soon as they stand here, and one
-- drainer carries them to Kafka, in any order, under the same raw id.

CREATE TABLE spool (
    raw_id        uuid        PRIMARY KEY,              -- UUIDv7: in the order of receipt
    topic         text        NOT NULL,
    source        text        NOT NULL,
    received_hour timestamptz NOT NULL,
    headers       text        NOT NULL,                 -- as in the outbox
    value         bytea       NOT NULL                  -- as it would have gone to Kafka
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE spool ALTER COLUMN value SET STORAGE EXTERNAL;  -- compressed and sealed already

-- The standing audit: rows that came into the spool and rows that left it, each counted in the transaction that did it.
-- spooled - drained = the rows of `spool` with this source and hour, at every instant.
CREATE TABLE spool_flow (
    source        text        NOT NULL,
    received_hour timestamptz NOT NULL,
    spooled       bigint      NOT NULL DEFAULT 0,
    drained       bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (source, received_hour),
    CHECK (drained BETWEEN 0 AND spooled)
) WITH (fillfactor = 50);

GRANT SELECT (raw_id, topic, source, received_hour, headers) ON spool TO patchline_operator;
GRANT SELECT ON spool_flow TO patchline_operator;
