-- The statement that lets weixin_reader read a new view, if that role exists: no row or one.
-- Default privileges do so for one administrator only, and everybody may call a function.
SELECT format('GRANT SELECT ON %s TO %I', cast(:name AS text), rolname)
FROM pg_roles
WHERE rolname = 'weixin_reader' AND :kind = 'VIEW'
