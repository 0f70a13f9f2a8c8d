-- The views of schema analytics that stand on the named ones, directly or through others, and
-- these.
WITH RECURSIVE standing AS (
    SELECT class.oid
    FROM pg_class AS class
    WHERE
        class.relnamespace = cast('analytics' AS regnamespace)
        AND class.relname = any(cast(:names AS text[]))
    UNION
    SELECT rewrite.ev_class
    FROM standing
    INNER JOIN pg_depend AS dependency
        ON
            standing.oid = dependency.refobjid
            AND dependency.refclassid = cast('pg_class' AS regclass)
            AND dependency.classid = cast('pg_rewrite' AS regclass)
    INNER JOIN pg_rewrite AS rewrite
        ON dependency.objid = rewrite.oid
)

SELECT class.relname AS name
FROM standing
INNER JOIN pg_class AS class
    ON standing.oid = class.oid
WHERE class.relnamespace = cast('analytics' AS regnamespace)
