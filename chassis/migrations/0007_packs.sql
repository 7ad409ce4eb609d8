-- A commit of many records leaves them packed, some hundreds to a row: beside the row of each that few records have, which
-- the release before wrote always, and reads alone. One numbering for both: the ids tell in which order a key's records go.
CREATE TABLE outbox_pack (
    id      bigint   PRIMARY KEY DEFAULT nextval('outbox_id_seq'),
    shard   smallint NOT NULL,
    topic   text     NOT NULL,
    records integer  NOT NULL CHECK (records > 0),
    pack    bytea    NOT NULL                           -- keys and bodies of Kafka records: contracts/records.py
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
ALTER TABLE outbox_pack ALTER COLUMN pack SET STORAGE EXTERNAL;  -- it lives for milliseconds: pressing it costs more
CREATE INDEX outbox_pack_bulk ON outbox_pack (id) WHERE topic LIKE '%.bulk';
GRANT SELECT (id, topic) ON outbox_pack TO patchline_auditor, patchline_operator;

-- What Kafka has not acknowledged yet, whichever way it is kept: `sum(records)` of it, never `count(*)`.
CREATE VIEW outbox_waiting AS
    SELECT id, shard, topic, 1 AS records, coalesce(octet_length(value), 0) AS size,
           key, headers, value, NULL::bytea AS pack
    FROM outbox
    UNION ALL
    SELECT id, shard, topic, records, octet_length(pack), NULL, NULL, NULL, pack
    FROM outbox_pack;
