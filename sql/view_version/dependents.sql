-- What DROP would find standing on the named views and functions, directly or through others: ours
-- by their names, these included, and other people's as Postgres describes them. One row each.
-- It asks the catalogue only: no view is locked, and nothing is translated.
{% from "view_version/macros.jinja" import of_function, of_relation %}
WITH RECURSIVE ours AS (
    SELECT
        cast(cast('pg_class' AS regclass) AS oid) AS classid,
        class.oid AS objid,
        {{ of_relation() }} AS identity
    FROM pg_class AS class
    INNER JOIN pg_namespace AS namespace
        ON class.relnamespace = namespace.oid
    UNION ALL
    SELECT
        cast(cast('pg_proc' AS regclass) AS oid),
        proc.oid,
        {{ of_function() }}
    FROM pg_proc AS proc
    INNER JOIN pg_namespace AS namespace
        ON proc.pronamespace = namespace.oid
),

-- whatever depends on something that goes, be it by its row type, goes, too; and a part of another
-- object, such as a view's rule, takes that with it
standing AS (
    SELECT
        ours.classid,
        ours.objid,
        0 AS objsubid
    FROM ours
    WHERE ours.identity = any(cast(:names AS text[]))
    UNION
    SELECT next.*
    FROM standing
    CROSS JOIN LATERAL (
        SELECT
            dependent.classid,
            dependent.objid,
            dependent.objsubid
        FROM pg_depend AS dependent
        WHERE
            dependent.refclassid = standing.classid
            AND dependent.refobjid = standing.objid
            AND standing.objsubid IN (0, dependent.refobjsubid)
        UNION ALL
        SELECT
            part.refclassid,
            part.refobjid,
            part.refobjsubid
        FROM pg_depend AS part
        WHERE
            part.classid = standing.classid
            AND part.objid = standing.objid
            AND part.objsubid = standing.objsubid
            AND part.deptype = 'i'
    ) AS next
)

SELECT
    ours.identity AS own,
    format('%s %s', object.type, object.identity) AS other
FROM standing
LEFT JOIN ours
    ON
        standing.classid = ours.classid
        AND standing.objid = ours.objid
        AND ours.identity = any(cast(:known AS text[]))
CROSS JOIN LATERAL pg_identify_object(standing.classid, standing.objid, standing.objsubid) AS object
-- DROP asks nobody about what belongs to another object that goes, such as an index, a view's rule
-- and its row type
WHERE
    NOT EXISTS (
        SELECT
        FROM pg_depend AS part
        INNER JOIN standing AS whole
            ON
                part.refclassid = whole.classid
                AND part.refobjid = whole.objid
                AND whole.objsubid IN (0, part.refobjsubid)
        WHERE
            part.classid = standing.classid
            AND part.objid = standing.objid
            AND part.objsubid IN (0, standing.objsubid)
            AND part.deptype IN ('a', 'i')
    )
    AND NOT EXISTS (
        SELECT
        FROM standing AS whole
        WHERE
            standing.objsubid <> 0
            AND whole.objsubid = 0
            AND standing.classid = whole.classid
            AND standing.objid = whole.objid
    )
ORDER BY own, other
