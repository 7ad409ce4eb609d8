-- What an id stands for. A code that is no event (yet) gives its id up to the event that a mended adapter makes of it.
-- Rows from before this file count as events, and so do those of a release that does not know the column: better to
-- let a replay miss one than to publish one twice.
ALTER TABLE translated ADD COLUMN stands_for text NOT NULL DEFAULT 'event'
    CHECK (stands_for IN ('event', 'unknown', 'ignored'));

-- Deliveries that were read once more because somebody replayed them: in none of the other counts of deliveries.
ALTER TABLE flow ADD COLUMN replayed bigint NOT NULL DEFAULT 0;
