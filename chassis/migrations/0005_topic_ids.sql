-- A topic that is deleted and made anew keeps its name, not its id: what a watermark counts in can be told apart.
ALTER TABLE watermark ADD COLUMN topic_id uuid;

-- `patchline watermark set` moves a group that stands still, and only its place.
GRANT SELECT, UPDATE (next_offset, last_identity, topic_id) ON watermark TO patchline_operator;
