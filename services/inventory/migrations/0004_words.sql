-- The fold in SQL: what history alone says of each device, as of a moment, per field the word of the newest fact. It is
-- the same fold as services/inventory/rules.py makes in Python, in the same order of facts, and a test holds the two
-- together; it answers who said a thing, and what was said at an earlier moment. Runs with its caller's own rights.

-- White space as Python's `str.split` knows it: one spelling of a word in both folds.
CREATE FUNCTION one_line(said text) RETURNS text IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql
    SET search_path = pg_catalog
    AS $$
        SELECT nullif(btrim(regexp_replace(said,
            '[\u0009-\u000D\u001C-\u0020\u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000]+', ' ', 'g'
        )), '')
    $$;

-- A moment as text that sorts and compares as the moment does, in any session's zone.
CREATE FUNCTION utc_text(moment timestamptz) RETURNS text IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql
    SET search_path = pg_catalog
    AS $$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;

CREATE FUNCTION words_as_of(of_source text, of_device text, as_of timestamptz)
    RETURNS TABLE (field text, word jsonb, event_id uuid, type text, effective_at timestamptz, recorded_at timestamptz)
    STABLE LANGUAGE sql SET search_path = inventory, pg_temp
    AS $$
        SELECT DISTINCT ON (said.field)
               said.field, said.word, fact.event_id, fact.type, fact.effective_at, fact.recorded_at
        FROM device_fact AS fact
        CROSS JOIN LATERAL (
            SELECT known.key AS field,
                   CASE jsonb_typeof(known.value)
                       WHEN 'string' THEN to_jsonb(one_line(known.value #>> '{}'))
                       WHEN 'array' THEN (
                           SELECT coalesce(jsonb_agg(tag ORDER BY tag COLLATE "C"), '[]')
                           FROM (SELECT DISTINCT one_line(raw) AS tag FROM jsonb_array_elements_text(known.value) AS raw)
                           WHERE tag IS NOT NULL)
                       ELSE known.value
                   END AS word
            FROM jsonb_each(fact.facts -> 'facts') AS known
            WHERE fact.type IN ('device.seen.v1', 'device.updated.v1')
              AND (jsonb_typeof(known.value) <> 'string' OR one_line(known.value #>> '{}') IS NOT NULL)
              AND jsonb_typeof(known.value) <> 'null'
            UNION ALL
            SELECT 'removed_at', 'null' WHERE fact.type = 'device.seen.v1'
            UNION ALL
            SELECT 'removed_at', to_jsonb(utc_text(fact.effective_at)) WHERE fact.type = 'device.removed.v1'
            UNION ALL
            SELECT 'online', to_jsonb(fact.type = 'device.online.v1')
            WHERE fact.type IN ('device.online.v1', 'device.offline.v1')
            UNION ALL
            SELECT 'last_boot_at',
                   to_jsonb(utc_text(least((fact.facts ->> 'booted_at')::timestamptz, fact.effective_at)))
            WHERE fact.type = 'device.booted.v1'
            UNION ALL
            SELECT 'os_build', to_jsonb(one_line(fact.facts ->> 'os_build'))
            WHERE fact.type = 'device.booted.v1' AND one_line(fact.facts ->> 'os_build') IS NOT NULL
        ) AS said
        WHERE fact.source = of_source AND fact.device = of_device AND fact.effective_at <= as_of
        ORDER BY said.field, fact.effective_at DESC, fact.event_id DESC
    $$;

REVOKE ALL ON FUNCTION words_as_of(text, text, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION words_as_of(text, text, timestamptz)
    TO inventory_writer, patchline_reader, patchline_operator;
