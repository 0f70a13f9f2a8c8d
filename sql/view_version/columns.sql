-- The relations of schema analytics by name, with their columns in order: to compare with the
-- files.
SELECT
    class.relname AS name,
    array_agg(attribute.attname::text ORDER BY attribute.attnum) AS columns
FROM pg_class AS class
INNER JOIN pg_attribute AS attribute
    ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
WHERE
    class.relnamespace = 'analytics'::regnamespace
    AND class.relkind IN ('r', 'v', 'm', 'p', 'f')
GROUP BY class.relname
