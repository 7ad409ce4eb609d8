-- PSAs deliver too: sources of a second kind, more ways to prove a delivery, and whose keys a callback may name.

-- Which schemes there are the code says; here stands only what every one keeps to.
DO $$
DECLARE
    former record;
BEGIN
    FOR former IN
        SELECT conname FROM pg_constraint
        WHERE conrelid = 'source'::regclass AND contype = 'c'
          AND (pg_get_constraintdef(oid) LIKE '%rmm/%' OR pg_get_constraintdef(oid) LIKE '%static-header%')
    LOOP
        EXECUTE format('ALTER TABLE source DROP CONSTRAINT %I', former.conname);
    END LOOP;
END $$;
ALTER TABLE source
    ADD COLUMN key_hosts text[] NOT NULL DEFAULT '{}',  -- where the keys of its callbacks may be fetched, nowhere else
    ADD CONSTRAINT source_named CHECK (source_id IN ('rmm/' || vendor || '/' || name, 'psa/' || vendor || '/' || name)),
    ADD CONSTRAINT source_scheme CHECK (scheme ~ '^[a-z0-9-]+$'),
    ADD CONSTRAINT source_header CHECK (header_name IS NOT NULL OR scheme NOT IN ('static-header', 'hmac-sha256')),
    ADD CONSTRAINT source_key_hosts CHECK ((scheme = 'connectwise-callback') = (key_hosts <> '{}'));

GRANT SELECT (key_hosts), UPDATE (key_hosts) ON source TO patchline_operator;
