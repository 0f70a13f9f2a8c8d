-- Who owns a view or function and who may do what with it, as the statements that give it again
-- and, for each privilege, one that takes it away: for a view that is dropped and created, as the
-- new one has its creator's default privileges. A privilege of one column names it. A function is
-- named without its parameters, which may be others then.
WITH object AS (
    SELECT
        oid,
        'TABLE' AS kind,
        relnamespace AS schema_oid,
        relname AS name,
        relowner AS owner,
        coalesce(relacl, acldefault('r', relowner)) AS acl
    FROM pg_class
    UNION ALL
    SELECT
        oid,
        'FUNCTION',
        pronamespace,
        proname,
        proowner,
        coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc
),

chosen AS (
    SELECT
        object.*,
        format('%I.%I', namespace.nspname, object.name) AS place
    FROM object
    INNER JOIN pg_namespace AS namespace
        ON object.schema_oid = namespace.oid
    WHERE format('%s.%s', namespace.nspname, object.name) = :name
),

given AS (
    SELECT
        chosen.*,
        NULL AS column_name,
        entry.*
    FROM chosen
    CROSS JOIN LATERAL aclexplode(chosen.acl) AS entry
    UNION ALL
    SELECT
        chosen.*,
        attribute.attname,
        entry.*
    FROM chosen
    INNER JOIN pg_attribute AS attribute
        ON chosen.kind = 'TABLE' AND chosen.oid = attribute.attrelid
    CROSS JOIN LATERAL aclexplode(attribute.attacl) AS entry
)

SELECT
    given.column_name,
    format('ALTER %s %s OWNER TO %I', given.kind, given.place, owner.rolname) AS own,
    format(
        'GRANT %s %s ON %s %s TO %s %s',
        given.privilege_type,
        '(' || quote_ident(given.column_name) || ')',
        given.kind,
        given.place,
        coalesce(quote_ident(grantee.rolname), 'PUBLIC'),
        CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' END
    ) AS give,
    format(
        'REVOKE ALL ON %s %s FROM %s',
        given.kind,
        given.place,
        coalesce(quote_ident(grantee.rolname), 'PUBLIC')
    ) AS take
FROM given
INNER JOIN pg_roles AS owner
    ON given.owner = owner.oid
LEFT JOIN pg_roles AS grantee
    ON given.grantee = grantee.oid
