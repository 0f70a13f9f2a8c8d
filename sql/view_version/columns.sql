-- The views and tables of the schemas that hold views by schema and name, with their columns in
-- order, and the functions with their parameters: to compare with the files.
SELECT
    format('%s.%s', namespace.nspname, class.relname) AS name,
    'VIEW' AS kind,
    array_agg(attribute.attname::text ORDER BY attribute.attnum) AS columns
FROM pg_class AS class
INNER JOIN pg_namespace AS namespace
    ON class.relnamespace = namespace.oid
INNER JOIN pg_attribute AS attribute
    ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
WHERE
    namespace.nspname = any(:schemas)
    AND class.relkind IN ('r', 'v', 'm', 'p', 'f')
GROUP BY namespace.nspname, class.relname
UNION ALL
SELECT
    format('%s.%s', namespace.nspname, proc.proname),
    'FUNCTION',
    string_to_array(pg_get_function_identity_arguments(proc.oid), ', ')
FROM pg_proc AS proc
INNER JOIN pg_namespace AS namespace
    ON proc.pronamespace = namespace.oid
WHERE namespace.nspname = any(:schemas)
