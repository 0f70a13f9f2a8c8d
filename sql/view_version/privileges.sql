-- Who owns a view or function and who may do what with it, as the statements that give it again to
-- one that is created in its place (whose parameters may be others) and, for each privilege, one
-- that takes it away: the new one has its creator's default privileges. A privilege of one column
-- names it.
WITH object AS (
    SELECT
        'TABLE' AS kind,
        relowner AS owner,
        NULL AS column_name,
        coalesce(relacl, acldefault('r', relowner)) AS acl
    FROM pg_class
    WHERE oid = to_regclass(:VIEW)
    UNION ALL
    SELECT
        'TABLE',
        class.relowner,
        attribute.attname,
        attribute.attacl
    FROM pg_attribute AS attribute
    INNER JOIN pg_class AS class
        ON attribute.attrelid = class.oid
    WHERE class.oid = to_regclass(:VIEW)
    UNION ALL
    SELECT
        'FUNCTION',
        proowner,
        NULL,
        coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc
    WHERE oid = to_regprocedure(:FUNCTION)
)

SELECT
    object.column_name,
    format('ALTER %s %s OWNER TO %I', object.kind, named.successor, owner.rolname) AS own,
    format(
        'GRANT %s %s ON %s %s TO %s %s',
        entry.privilege_type,
        '(' || quote_ident(object.column_name) || ')',
        object.kind,
        named.successor,
        coalesce(quote_ident(grantee.rolname), 'PUBLIC'),
        CASE WHEN entry.is_grantable THEN 'WITH GRANT OPTION' END
    ) AS give,
    format(
        'REVOKE ALL ON %s %s FROM %s',
        object.kind,
        named.successor,
        coalesce(quote_ident(grantee.rolname), 'PUBLIC')
    ) AS take
FROM object
CROSS JOIN LATERAL aclexplode(object.acl) AS entry
CROSS JOIN (SELECT cast(:successor AS text) AS successor) AS named
INNER JOIN pg_roles AS owner
    ON object.owner = owner.oid
LEFT JOIN pg_roles AS grantee
    ON entry.grantee = grantee.oid
