-- What every service's schema holds besides its own tables. Run once in each schema.

-- Where each consumer group stands, advanced in the same transaction as the state it stands for.
CREATE TABLE watermark (
    consumer_group   text        NOT NULL,
    topic            text        NOT NULL,
    partition        integer     NOT NULL,
    next_offset      bigint      NOT NULL,
    last_identity    text,                              -- of the record at next_offset - 1
    last_recorded_at timestamptz,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- Messages of committed transactions that Kafka has not acknowledged yet.
CREATE TABLE outbox (
    id      bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard   smallint NOT NULL,
    topic   text     NOT NULL,
    key     bytea,
    headers text     NOT NULL,                          -- JSON list of [name, latin-1 of the bytes]
    value   bytea
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- How often each aggregate changed: drawn under the row's lock, travels as `sequence`.
CREATE TABLE aggregate_sequence (
    aggregate text   PRIMARY KEY,
    sequence  bigint NOT NULL
) WITH (fillfactor = 70);

-- Whether the last relay of a shard stopped cleanly; if not, the next waits out the delivery timeout.
CREATE TABLE relay_shard (
    shard smallint PRIMARY KEY,
    clean boolean  NOT NULL DEFAULT true
);
INSERT INTO relay_shard (shard) SELECT generate_series(0, 7);
