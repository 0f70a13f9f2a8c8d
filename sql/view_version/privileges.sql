-- Who owns a view of schema analytics and who may do what with it, as the statements that give it
-- again and, for each privilege, one that takes it away: for a view that is dropped and created,
-- as the new one has its creator's default privileges. A privilege of one column names it.
WITH given AS (
    SELECT
        class.oid,
        NULL AS column_name,
        entry.grantee,
        entry.privilege_type,
        entry.is_grantable
    FROM pg_class AS class
    CROSS JOIN
        LATERAL aclexplode(coalesce(class.relacl, acldefault('r', class.relowner))) AS entry
    UNION ALL
    SELECT
        attribute.attrelid,
        attribute.attname,
        entry.grantee,
        entry.privilege_type,
        entry.is_grantable
    FROM pg_attribute AS attribute
    CROSS JOIN LATERAL aclexplode(attribute.attacl) AS entry
)

SELECT
    given.column_name,
    format('ALTER VIEW %s OWNER TO %I', cast(class.oid AS regclass), owner.rolname) AS own,
    format(
        'GRANT %s %s ON %s TO %s %s',
        given.privilege_type,
        '(' || quote_ident(given.column_name) || ')',
        cast(class.oid AS regclass),
        coalesce(quote_ident(grantee.rolname), 'PUBLIC'),
        CASE WHEN given.is_grantable THEN 'WITH GRANT OPTION' END
    ) AS give,
    format(
        'REVOKE ALL ON %s FROM %s',
        cast(class.oid AS regclass),
        coalesce(quote_ident(grantee.rolname), 'PUBLIC')
    ) AS take
FROM given
INNER JOIN pg_class AS class
    ON given.oid = class.oid
INNER JOIN pg_roles AS owner
    ON class.relowner = owner.oid
LEFT JOIN pg_roles AS grantee
    ON given.grantee = grantee.oid
WHERE class.oid = cast(format('analytics.%I', cast(:name AS text)) AS regclass)
