-- The relay finds the first rows of the bulk lane without reading past everything that is live.
CREATE INDEX outbox_bulk ON outbox (id) WHERE topic LIKE '%.bulk';
