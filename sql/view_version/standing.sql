-- The numbers of the given views and functions and of all views that stand on them, directly or
-- through others: one row each.
WITH RECURSIVE standing AS (
    SELECT unnest(cast(:oids AS oid[])) AS oid
    UNION
    SELECT rule.ev_class
    FROM standing
    INNER JOIN pg_depend AS dependence
        ON standing.oid = dependence.refobjid
    INNER JOIN pg_rewrite AS rule
        ON
            dependence.classid = cast('pg_rewrite' AS regclass)
            AND dependence.objid = rule.oid
)

SELECT oid FROM standing
