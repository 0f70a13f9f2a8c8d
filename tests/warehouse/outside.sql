-- What a migration might change of a server outside the schemas of the warehouse.
SELECT 'database' AS kind, datname AS name, row(datdba, datconnlimit, datallowconn)::text AS value
FROM pg_database
UNION ALL
SELECT 'grant on a database', datname, coalesce(rolname, 'PUBLIC') || ' ' || privilege_type
FROM
    pg_database
    CROSS JOIN aclexplode(coalesce(datacl, acldefault('d', datdba))) AS granted
    LEFT JOIN pg_roles ON pg_roles.oid = granted.grantee
UNION ALL
SELECT 'setting', setdatabase::text, setrole || ' ' || setconfig::text FROM pg_db_role_setting
UNION ALL
SELECT 'role', rolname, row(rolsuper, rolcreaterole, rolcanlogin, rolinherit)::text FROM pg_roles
UNION ALL
SELECT 'extension', extname, extversion FROM pg_extension
UNION ALL
SELECT 'event trigger', evtname, evtevent FROM pg_event_trigger
UNION ALL
SELECT 'schema', nspname, row(nspowner, nspacl)::text
FROM pg_namespace
WHERE nspname !~ '^(weixin|analytics|pg_temp.*|pg_toast_temp.*)$'
UNION ALL
SELECT 'relation', pg_class.oid::regclass::text, row(relowner, relacl, reloptions)::text
FROM pg_class
INNER JOIN pg_namespace ON pg_namespace.oid = relnamespace
WHERE nspname !~ '^(weixin|analytics|pg_temp.*|pg_toast.*)$'
UNION ALL
SELECT 'function', pg_proc.oid::regprocedure::text, row(proowner, proacl, proconfig)::text
FROM pg_proc
INNER JOIN pg_namespace ON pg_namespace.oid = pronamespace
WHERE nspname !~ '^(weixin|analytics)$'
UNION ALL
SELECT 'default privileges', nspname, defaclacl::text
FROM pg_default_acl
LEFT JOIN pg_namespace ON pg_namespace.oid = defaclnamespace
WHERE coalesce(nspname, '') !~ '^(weixin|analytics)$'
UNION ALL
SELECT 'row', id::text, note FROM sales.coverage
