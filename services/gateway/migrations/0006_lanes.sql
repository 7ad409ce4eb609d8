-- How many deliveries a second a source may send live; what exceeds it travels in bulk. Null: as the setting says.
ALTER TABLE source ADD COLUMN live_rate double precision CHECK (live_rate > 0);

GRANT SELECT (live_rate), UPDATE (live_rate) ON source TO patchline_operator;
