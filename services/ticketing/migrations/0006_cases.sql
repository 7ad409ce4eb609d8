-- Tickets about exposed credentials, and what goes with them.
ALTER TABLE matter DROP CONSTRAINT matter_kind_check;
ALTER TABLE matter ADD CONSTRAINT matter_kind_check CHECK (kind IN (
    'patch_failed', 'failed_uncatalogued', 'exposure', 'exposure_foreign', 'exposure_late', 'breaker', 'hygiene'
));
