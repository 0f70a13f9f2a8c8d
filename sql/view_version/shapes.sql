-- What the schemas of views hold, and what of it CREATE OR REPLACE keeps: of a view or table the
-- columns with types and collations, of a function the parameters and what it returns. The name of
-- a function has the types of its parameters, as others may have the same name without them.
{% from "view_version/macros.jinja" import of_function, of_relation %}
SELECT
    {{ of_relation() }} AS identity,
    array_agg(cast(attribute.attname AS text) ORDER BY attribute.attnum) AS columns,
    array_agg(
        concat_ws(
            ' ',
            format_type(attribute.atttypid, attribute.atttypmod),
            cast(attribute.attcollation AS regcollation)
        )
        ORDER BY attribute.attnum
    ) AS types
FROM pg_class AS class
INNER JOIN pg_namespace AS namespace
    ON class.relnamespace = namespace.oid
LEFT JOIN pg_attribute AS attribute
    ON class.oid = attribute.attrelid AND attribute.attnum > 0 AND NOT attribute.attisdropped
WHERE namespace.nspname = any(:schemas)
GROUP BY namespace.nspname, class.relname
UNION ALL
SELECT
    {{ of_function() }},
    ARRAY['parameters', 'returns'],
    ARRAY[pg_get_function_arguments(proc.oid), pg_get_function_result(proc.oid)]
FROM pg_proc AS proc
INNER JOIN pg_namespace AS namespace
    ON proc.pronamespace = namespace.oid
WHERE namespace.nspname = any(:schemas)
