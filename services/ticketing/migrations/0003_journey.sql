-- From an event of an RMM to what became of it here: `patchline journey` asks both ways.

ALTER TABLE history ADD COLUMN causation uuid;          -- what the event followed from; null: time alone, or unknown
CREATE INDEX history_causation ON history (causation) WHERE causation IS NOT NULL;
CREATE INDEX intent_cause ON intent (cause_id);
