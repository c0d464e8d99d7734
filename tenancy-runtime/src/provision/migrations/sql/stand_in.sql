-- In the shared layout a key of a protected table leads with {TENANT_ID}, so
-- `REFERENCES todos (id)` finds no key that fits. For the length of one
-- migration an empty stand-in of each such table has the keys as they were
-- written; `tenancy.protect` then makes the foreign key anew, to the table
-- itself. Gives back the names that have a stand-in.
CREATE OR REPLACE FUNCTION tenancy.stand_in(names text[]) RETURNS text[]
LANGUAGE plpgsql SET search_path = '' AS $tenancy$
DECLARE
    made text[] := '{}';
    tab record;
    key record;
BEGIN
    FOR tab IN
        SELECT c.oid, c.relname::text AS name, a.attnum AS lead
        FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
        WHERE n.nspname = current_setting('{PLACE_SCHEMA}', true)
            AND current_setting('{PLACE_LAYOUT}', true) = 'shared'
            AND c.relname = ANY (names) AND c.relkind = 'r' AND c.relrowsecurity
            AND a.attname = '{TENANT_ID}' AND NOT a.attisdropped
    LOOP
        IF made = '{}' THEN
            CREATE SCHEMA {STAND_INS};
        END IF;
        EXECUTE format('CREATE TABLE {STAND_INS}.%I (LIKE %s)', tab.name, tab.oid::regclass);
        FOR key IN
            SELECT i.indisprimary, (
                    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY k.position)
                    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, position)
                    JOIN pg_catalog.pg_attribute a ON a.attrelid = tab.oid AND a.attnum = k.num
                    WHERE k.position BETWEEN 2 AND i.indnkeyatts
                ) AS columns
            FROM pg_catalog.pg_index i
            WHERE i.indrelid = tab.oid AND i.indisunique AND i.indkey[0] = tab.lead
                AND i.indnkeyatts > 1 AND i.indpred IS NULL AND i.indexprs IS NULL
        LOOP
            EXECUTE format('ALTER TABLE {STAND_INS}.%I ADD %s (%s)', tab.name,
                CASE WHEN key.indisprimary THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, key.columns);
        END LOOP;
        made := made || tab.name;
    END LOOP;
    RETURN made;
END
$tenancy$
