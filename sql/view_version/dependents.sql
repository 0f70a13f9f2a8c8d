-- The views of schema analytics that stand on the named ones, directly or through others, and these.
WITH RECURSIVE standing AS (
    SELECT class.oid
    FROM pg_class AS class
    WHERE
        class.relnamespace = 'analytics'::regnamespace
        AND class.relname = any(cast(:names AS text[]))
    UNION
    SELECT rewrite.ev_class
    FROM standing
    INNER JOIN pg_depend AS dependency
        ON
            standing.oid = dependency.refobjid
            AND dependency.refclassid = 'pg_class'::regclass
            AND dependency.classid = 'pg_rewrite'::regclass
    INNER JOIN pg_rewrite AS rewrite
        ON dependency.objid = rewrite.oid
)

SELECT class.relname AS name
FROM standing
INNER JOIN pg_class AS class
    ON standing.oid = class.oid
WHERE class.relnamespace = 'analytics'::regnamespace
