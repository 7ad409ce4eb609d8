-- Deliveries that were refused, each once: a copy of one, which Kafka took late and the spool too, is no second dead letter.
CREATE TABLE refused (
    raw_id      uuid        PRIMARY KEY,
    recorded_at timestamptz NOT NULL
);

GRANT SELECT ON refused TO patchline_operator;
