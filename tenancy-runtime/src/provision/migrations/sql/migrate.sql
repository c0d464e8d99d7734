-- Runs the text of a migration in the place that the settings name, and then
-- protects every table there but `exempt`. PostgreSQL itself keeps it whole:
-- inside of a function nothing commits, and nothing runs that needs to be
-- outside of a transaction. Without `row_security` a statement that policies
-- would hide rows from is an error, where it would else do nothing and say so
-- to nobody.
CREATE OR REPLACE FUNCTION tenancy.migrate(statements text, exempt text[]) RETURNS void
LANGUAGE plpgsql SET search_path = '' SET row_security = off AS $tenancy$
DECLARE
    place oid := (SELECT n.oid FROM pg_catalog.pg_namespace n
        WHERE n.nspname = current_setting('{PLACE_SCHEMA}', true));
BEGIN
    IF statements <> '' THEN
        EXECUTE statements;
    END IF;
    PERFORM tenancy.protect(VARIADIC ARRAY(
        SELECT c.relname::text FROM pg_catalog.pg_class c
        WHERE c.relnamespace = place AND c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relname <> ALL (exempt)
        ORDER BY 1));
    IF to_regnamespace('{STAND_INS}') IS NOT NULL THEN
        EXECUTE 'DROP SCHEMA {STAND_INS} CASCADE';
    END IF;
END
$tenancy$
