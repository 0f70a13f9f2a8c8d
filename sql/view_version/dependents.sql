-- The views and functions that stand on the named ones, directly or through others, and these.
WITH RECURSIVE named AS (
    SELECT
        cast(cast('pg_class' AS regclass) AS oid) AS class_id,
        class.oid,
        format('%s.%s', namespace.nspname, class.relname) AS name
    FROM pg_class AS class
    INNER JOIN pg_namespace AS namespace
        ON class.relnamespace = namespace.oid
    UNION ALL
    SELECT
        cast(cast('pg_proc' AS regclass) AS oid),
        proc.oid,
        format('%s.%s', namespace.nspname, proc.proname)
    FROM pg_proc AS proc
    INNER JOIN pg_namespace AS namespace
        ON proc.pronamespace = namespace.oid
),

standing AS (
    SELECT
        named.class_id,
        named.oid
    FROM named
    WHERE named.name = any(cast(:names AS text[]))
    UNION
    SELECT
        CASE
            WHEN rewrite.oid IS NULL THEN dependency.classid
            ELSE cast(cast('pg_class' AS regclass) AS oid)
        END,
        coalesce(rewrite.ev_class, dependency.objid)
    FROM standing
    INNER JOIN pg_depend AS dependency
        ON
            standing.class_id = dependency.refclassid
            AND standing.oid = dependency.refobjid
            AND dependency.classid IN (
                cast('pg_rewrite' AS regclass), cast('pg_proc' AS regclass)
            )
    LEFT JOIN pg_rewrite AS rewrite
        ON
            dependency.classid = cast('pg_rewrite' AS regclass)
            AND dependency.objid = rewrite.oid
)

SELECT named.name
FROM standing
INNER JOIN named
    ON standing.class_id = named.class_id AND standing.oid = named.oid
