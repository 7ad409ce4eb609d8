-- Whose turn it is at the tracker: what came live goes before what a resync brought.
ALTER TABLE intent ADD COLUMN lane text NOT NULL DEFAULT 'live' CHECK (lane IN ('live', 'bulk'));
CREATE INDEX intent_due_by_lane ON intent (tenant_id, lane, due_at) WHERE state IN ('pending', 'leased', 'uncertain');
DROP INDEX intent_due;
