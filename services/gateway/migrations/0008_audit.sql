-- What the standing audit and `patchline journey` read here.

GRANT SELECT ON flow, spool_flow TO patchline_auditor;
GRANT SELECT (source, received_hour) ON spool TO patchline_auditor;
GRANT SELECT (source, received_at) ON parked TO patchline_auditor;

-- From a delivery to what was made of it.
CREATE INDEX translated_raw ON translated (raw_id);
