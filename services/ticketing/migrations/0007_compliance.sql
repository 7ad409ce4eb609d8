-- Tickets about what compliance tells besides failures: breaches, exceptions, monitors, windows, restarts, triage.
ALTER TABLE matter DROP CONSTRAINT matter_kind_check;
ALTER TABLE matter ADD CONSTRAINT matter_kind_check CHECK (kind IN (
    'patch_failed', 'failed_uncatalogued', 'exposure', 'exposure_foreign', 'exposure_late', 'breaker', 'hygiene',
    'patch_overdue', 'exception', 'monitor', 'source_silent', 'reboot_surprise', 'window_missed', 'window_empty', 'triage'
));
