-- Turns tables as they were written into tables of the place that the settings
-- name. In a dedicated place that takes the grants only. In the shared one the
-- table gets the column {TENANT_ID}; its keys, indexes and foreign keys are made
-- anew under their names, led by that column; row-level security holds it. What
-- is as it should be is left alone, so that it takes no lock. What cannot be
-- made anew is refused by name.
CREATE OR REPLACE FUNCTION tenancy.protect(VARIADIC names text[]) RETURNS void
LANGUAGE plpgsql SET search_path = '' AS $tenancy$
DECLARE
    schema text := nullif(current_setting('{PLACE_SCHEMA}', true), '');
    layout text := nullif(current_setting('{PLACE_LAYOUT}', true), '');
    app text := nullif(current_setting('{PLACE_ROLE}', true), '');
    place oid := (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = schema);
    stand_ins oid := to_regnamespace('{STAND_INS}');
    app_role oid := (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = app);
    -- The tables to protect, and all of the place that are protected in the end.
    wanted oid[] := '{}';
    guarded oid[];
    tab oid;
    name text;
    lead int2;
    key record;
    columns text;
    targets text;
    cleared text;
    definition text;
    has_rows boolean;
    dropped text[] := '{}';
    added text[] := '{}';
    referring oid[] := '{}';
BEGIN
    IF place IS NULL OR app_role IS NULL OR layout IS NULL OR layout NOT IN ('shared', 'dedicated') THEN
        RAISE EXCEPTION 'tenancy.protect works in a migration only: nothing says which place this is';
    END IF;

    FOREACH name IN ARRAY names LOOP
        tab := (SELECT c.oid FROM pg_catalog.pg_class c
            WHERE c.relnamespace = place AND c.relname = name AND c.relkind IN ('r', 'p'));
        IF tab IS NULL THEN
            RAISE EXCEPTION 'there is no table `%` to protect', name;
        END IF;
        IF tab <> ALL (wanted) THEN
            wanted := wanted || tab;
        END IF;
    END LOOP;

    -- The column. A table must say the same in both layouts.
    FOREACH tab IN ARRAY wanted LOOP
        SELECT a.attnum, layout = 'shared' AND a.attnotnull AND a.atttypid = 'uuid'::regtype
            AND pg_get_expr(d.adbin, d.adrelid) = {CURRENT_TENANT_READ_BACK} AS ours
        INTO key
        FROM pg_catalog.pg_attribute a
        LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = tab AND a.attname = '{TENANT_ID}' AND NOT a.attisdropped;
        IF key.attnum IS NOT NULL AND key.ours IS NOT TRUE THEN
            RAISE EXCEPTION 'the table % has a column `{TENANT_ID}` of its own', tab::regclass
                USING HINT = 'leave it out: it is added where tenants share tables';
        END IF;
        CONTINUE WHEN layout = 'dedicated' OR key.attnum IS NOT NULL;
        IF EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = tab AND c.relkind = 'p')
            OR EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE tab IN (h.inhrelid, h.inhparent))
        THEN
            RAISE EXCEPTION 'the table % has partitions or inherits', tab::regclass
                USING HINT = 'tenants cannot share such a table';
        END IF;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', tab::regclass) INTO has_rows;
        IF has_rows THEN
            RAISE EXCEPTION 'the table % has rows that belong to no tenant', tab::regclass
                USING HINT = 'a migration cannot insert rows where tenants share tables';
        END IF;
        EXECUTE format(
            $sql$ALTER TABLE %s ADD COLUMN {TENANT_ID} uuid NOT NULL DEFAULT {CURRENT_TENANT}
                CONSTRAINT {ROLL_KEY} REFERENCES %I.{ROLL}$sql$,
            tab::regclass, schema);
    END LOOP;

    IF layout = 'shared' THEN
        guarded := ARRAY(SELECT c.oid FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = place AND a.attname = '{TENANT_ID}' AND NOT a.attisdropped
                AND (c.oid = ANY (wanted) OR c.relrowsecurity));

        -- Foreign keys first: they hold on to the keys that are made anew.
        FOR key IN
            SELECT k.*, t.oid AS target, pg_get_constraintdef(k.oid) AS written
            FROM pg_catalog.pg_constraint k
            JOIN pg_catalog.pg_class r ON r.oid = k.confrelid
            LEFT JOIN pg_catalog.pg_class t ON t.relname = r.relname AND t.relnamespace = place
            LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'f'
                AND (r.relnamespace = stand_ins OR t.oid = r.oid AND t.oid = ANY (guarded))
                AND NOT (k.conrelid = ANY (guarded) AND a.attname = '{TENANT_ID}')
            ORDER BY k.conrelid, k.conname
        LOOP
            IF key.conrelid <> ALL (guarded) THEN
                RAISE EXCEPTION 'the table % refers to %, and is not protected with it',
                    key.conrelid::regclass, key.target::regclass
                    USING HINT = 'protect both in one call';
            END IF;
            IF key.target IS NULL OR key.target <> ALL (guarded) THEN
                RAISE EXCEPTION 'the foreign key `%` of % refers to a table that is gone',
                    key.conname, key.conrelid::regclass;
            END IF;
            IF key.confupdtype IN ('n', 'd')
                OR key.confmatchtype = 'f' AND cardinality(key.conkey) > 1
                OR key.written ~ ' NOT ENFORCED$|PERIOD '
            THEN
                RAISE EXCEPTION 'the foreign key `%` of % cannot lead with {TENANT_ID}: %',
                    key.conname, key.conrelid::regclass, key.written
                    USING HINT = 'do without ON UPDATE SET, MATCH FULL, PERIOD and NOT ENFORCED';
            END IF;
            SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.position),
                string_agg(format('%I', b.attname), ', ' ORDER BY c.position)
            INTO columns, targets
            FROM unnest(key.conkey, key.confkey) WITH ORDINALITY AS c(num, target, position)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = key.conrelid AND a.attnum = c.num
            JOIN pg_catalog.pg_attribute b ON b.attrelid = key.confrelid AND b.attnum = c.target;
            -- The row stays with its tenant when the one it refers to goes.
            cleared := (SELECT string_agg(format('%I', a.attname), ', ' ORDER BY c.position)
                FROM unnest(coalesce(key.confdelsetcols, key.conkey))
                    WITH ORDINALITY AS c(num, position)
                JOIN pg_catalog.pg_attribute a ON a.attrelid = key.conrelid AND a.attnum = c.num);
            dropped := dropped || format('ALTER TABLE %s DROP CONSTRAINT %I',
                key.conrelid::regclass, key.conname);
            added := added || format('ALTER TABLE %s ADD CONSTRAINT %I '
                'FOREIGN KEY ({TENANT_ID}, %s) REFERENCES %s ({TENANT_ID}, %s)%s%s%s%s',
                key.conrelid::regclass, key.conname, columns, key.target::regclass, targets,
                CASE key.confupdtype WHEN 'c' THEN ' ON UPDATE CASCADE'
                    WHEN 'r' THEN ' ON UPDATE RESTRICT' ELSE '' END,
                CASE key.confdeltype WHEN 'c' THEN ' ON DELETE CASCADE'
                    WHEN 'r' THEN ' ON DELETE RESTRICT'
                    WHEN 'n' THEN format(' ON DELETE SET NULL (%s)', cleared)
                    WHEN 'd' THEN format(' ON DELETE SET DEFAULT (%s)', cleared) ELSE '' END,
                CASE WHEN key.condeferrable THEN ' DEFERRABLE' ELSE '' END,
                CASE WHEN key.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END);
            referring := referring || key.conrelid || key.target;
        END LOOP;
        FOREACH definition IN ARRAY dropped LOOP
            EXECUTE definition;
        END LOOP;

        -- Keys and indexes. The tenant goes in front of what PostgreSQL says of
        -- them, so that all the rest stays: expressions, INCLUDE, WHERE.
        FOREACH tab IN ARRAY wanted LOOP
            lead := (SELECT a.attnum FROM pg_catalog.pg_attribute a
                WHERE a.attrelid = tab AND a.attname = '{TENANT_ID}' AND NOT a.attisdropped);
            FOR key IN
                SELECT i.indexrelid::regclass AS index, i.indisunique, c.relname, m.amname,
                    k.conname, k.contype,
                    coalesce(pg_get_constraintdef(k.oid), pg_get_indexdef(i.indexrelid)) AS written
                FROM pg_catalog.pg_index i
                JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
                JOIN pg_catalog.pg_am m ON m.oid = c.relam
                LEFT JOIN pg_catalog.pg_constraint k
                    ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
                WHERE i.indrelid = tab AND i.indkey[0] <> lead
                    -- Only these compare a uuid, and the others tell nobody anything.
                    AND (m.amname = 'btree' OR i.indisunique OR k.contype = 'x')
                ORDER BY i.indexrelid
            LOOP
                columns := CASE
                    WHEN key.contype IN ('p', 'u') THEN
                        substring(key.written FROM '^(?:PRIMARY KEY|UNIQUE|UNIQUE NULLS NOT DISTINCT) \(')
                    WHEN key.contype IS NULL THEN format('CREATE %sINDEX %I ON %s USING %I (',
                        CASE WHEN key.indisunique THEN 'UNIQUE ' ELSE '' END,
                        key.relname, tab::regclass, key.amname)
                    END;
                IF columns IS NULL OR NOT starts_with(key.written, columns)
                    OR key.written LIKE '% WITHOUT OVERLAPS%'
                THEN
                    RAISE EXCEPTION 'the key `%` of % cannot lead with {TENANT_ID}: %',
                        coalesce(key.conname, key.relname), tab::regclass, key.written
                        USING HINT = 'exclusion constraints and WITHOUT OVERLAPS need a schema for '
                            'each tenant';
                END IF;
                definition := overlay(key.written PLACING columns || '{TENANT_ID}, '
                    FROM 1 FOR length(columns));
                IF key.contype IS NULL THEN
                    EXECUTE format('DROP INDEX %s', key.index);
                    EXECUTE definition;
                ELSE
                    EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I %s',
                        tab::regclass, key.conname, key.conname, definition);
                END IF;
            END LOOP;
        END LOOP;

        -- A foreign key is checked by a query, from which FORCE would hide the rows.
        FOREACH tab IN ARRAY referring LOOP
            IF (SELECT c.relforcerowsecurity FROM pg_catalog.pg_class c WHERE c.oid = tab) THEN
                EXECUTE format('ALTER TABLE %s NO FORCE ROW LEVEL SECURITY', tab::regclass);
            END IF;
        END LOOP;
        FOREACH definition IN ARRAY added LOOP
            EXECUTE definition;
        END LOOP;

        FOR tab IN SELECT DISTINCT unnest(wanted || referring) LOOP
            IF NOT (SELECT c.relrowsecurity FROM pg_catalog.pg_class c WHERE c.oid = tab) THEN
                EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tab::regclass);
            END IF;
            IF NOT (SELECT c.relforcerowsecurity FROM pg_catalog.pg_class c WHERE c.oid = tab) THEN
                EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tab::regclass);
            END IF;
            FOR key IN
                SELECT * FROM (VALUES {POLICIES}) AS due(policy, catalog, statement)
                WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_policy p
                    WHERE p.polrelid = tab AND due.catalog = {POLICY_IN_CATALOG})
            LOOP
                EXECUTE format('DROP POLICY IF EXISTS %I ON %s', key.policy, tab::regclass);
                EXECUTE format(key.statement, tab::regclass);
            END LOOP;
        END LOOP;
    END IF;

    FOREACH tab IN ARRAY wanted LOOP
        IF (SELECT array_agg(g.grantee::text || ' ' || g.privilege_type ORDER BY g.privilege_type)
            FROM pg_catalog.pg_class c, aclexplode(c.relacl) g
            WHERE c.oid = tab AND g.grantee IN (0, app_role))
            IS DISTINCT FROM (SELECT array_agg(app_role::text || ' ' || p ORDER BY p)
                FROM unnest({PRIVILEGES_ARRAY}) p)
        THEN
            EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, %I', tab::regclass, app);
            EXECUTE format('GRANT {PRIVILEGES} ON %s TO %I', tab::regclass, app);
        END IF;
        -- What numbers a `serial` column; an identity column needs no grant.
        FOR key IN
            SELECT d.objid::regclass AS sequence FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_class s ON s.oid = d.objid
            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a'
                AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = tab
                AND CASE WHEN s.relkind = 'S'
                    THEN NOT has_sequence_privilege(app_role, d.objid, 'USAGE') END
        LOOP
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', key.sequence, app);
        END LOOP;
    END LOOP;
END
$tenancy$
