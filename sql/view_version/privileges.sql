-- Who owns a view or function and who may do what with it, as the statements that give it again to
-- one that is made in its place (whose parameters may be others) and, for each privilege, one that
-- takes it away: the new one has its creator's default privileges. A privilege of one column names
-- it.
{% from "view_version/macros.jinja" import of_function, of_relation %}
WITH object AS (
    SELECT
        class.oid,
        'TABLE' AS kind,
        {{ of_relation() }} AS identity,
        class.relowner AS owner,
        coalesce(class.relacl, acldefault('r', class.relowner)) AS acl
    FROM pg_class AS class
    INNER JOIN pg_namespace AS namespace
        ON class.relnamespace = namespace.oid
    UNION ALL
    SELECT
        proc.oid,
        'FUNCTION',
        {{ of_function() }},
        proc.proowner,
        coalesce(proc.proacl, acldefault('f', proc.proowner))
    FROM pg_proc AS proc
    INNER JOIN pg_namespace AS namespace
        ON proc.pronamespace = namespace.oid
),

given AS (
    SELECT
        object.*,
        NULL AS column_name,
        entry.*
    FROM object
    CROSS JOIN LATERAL aclexplode(object.acl) AS entry
    UNION ALL
    SELECT
        object.*,
        attribute.attname,
        entry.*
    FROM object
    INNER JOIN pg_attribute AS attribute
        ON object.kind = 'TABLE' AND object.oid = attribute.attrelid
    CROSS JOIN LATERAL aclexplode(attribute.attacl) AS entry
)

SELECT
    given.column_name,
    format(
        'ALTER %s %s OWNER TO %I', given.kind, cast(:successor AS text), owner.rolname
    ) AS own,
    format(
        'GRANT %s %s ON %s %s TO %s %s',
        given.privilege_type,
        '(' || quote_ident(given.column_name) || ')',
        given.kind,
        cast(:successor AS text),
        coalesce(quote_ident(grantee.rolname), 'PUBLIC'),
        CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' END
    ) AS give,
    format(
        'REVOKE ALL ON %s %s FROM %s',
        given.kind,
        cast(:successor AS text),
        coalesce(quote_ident(grantee.rolname), 'PUBLIC')
    ) AS take
FROM given
INNER JOIN pg_roles AS owner
    ON given.owner = owner.oid
LEFT JOIN pg_roles AS grantee
    ON given.grantee = grantee.oid
WHERE given.identity = :identity
