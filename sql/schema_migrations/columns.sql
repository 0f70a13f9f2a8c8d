-- Return the columns of all tables in the schema weixin, whoever created the tables: one row per
-- column.
SELECT class.relname || '.' || attribute.attname AS column_name
FROM pg_class AS class
INNER JOIN pg_attribute AS attribute ON class.oid = attribute.attrelid
WHERE
    class.relnamespace = to_regnamespace('weixin')
    AND class.relkind IN ('r', 'p', 'f')
    AND attribute.attnum > 0
    AND NOT attribute.attisdropped
ORDER BY column_name
