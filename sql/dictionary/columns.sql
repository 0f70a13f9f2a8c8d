-- What the catalogue says of the analysts' views and tables: one row per column, in order.
SELECT
    class.relname AS view_name,
    obj_description(class.oid, 'pg_class') AS view_comment,
    attribute.attname AS column_name,
    format_type(attribute.atttypid, attribute.atttypmod) AS type_name,
    col_description(class.oid, attribute.attnum) AS comment
FROM pg_class AS class
INNER JOIN pg_attribute AS attribute
    ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
WHERE
    class.relnamespace = cast('analytics' AS regnamespace)
    AND class.relkind IN ('r', 'v')
ORDER BY class.relname, attribute.attnum
