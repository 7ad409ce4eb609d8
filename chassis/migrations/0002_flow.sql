-- What became of every record, counted in the transaction that advances the watermark: the standing audit reads it.

-- Per partition: where counting began, and how many records were counted since. On a topic that is not compacted
-- first_offset + records = the watermark's next_offset, at every instant; if not, records were stepped over.
CREATE TABLE partition_flow (
    consumer_group text    NOT NULL,
    topic          text    NOT NULL,
    partition      integer NOT NULL,
    first_offset   bigint  NOT NULL,
    records        bigint  NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- Per source and hour of receipt: each record in exactly one fate. `again`: those of them that were replayed on purpose.
-- The fate `published` counts what this service put on a topic instead of what it read there.
CREATE TABLE group_flow (
    consumer_group text        NOT NULL,
    topic          text        NOT NULL,
    source         text        NOT NULL,
    received_hour  timestamptz NOT NULL,
    fate           text        NOT NULL,
    count          bigint      NOT NULL CHECK (count >= 0),
    again          bigint      NOT NULL CHECK (again BETWEEN 0 AND count),
    PRIMARY KEY (consumer_group, topic, source, received_hour, fate)
) WITH (fillfactor = 50);

-- The standing auditor reads counters and places of every schema, never a row of any tenant.
DO $$
DECLARE
    room text := current_schema();
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO patchline_auditor', room);
END $$;
GRANT SELECT ON watermark, partition_flow, group_flow TO patchline_auditor, patchline_operator;
GRANT SELECT (id, topic) ON outbox TO patchline_auditor, patchline_operator;
GRANT SELECT ON migration TO patchline_operator;
