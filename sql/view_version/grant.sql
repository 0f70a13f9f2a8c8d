-- The statement that lets weixin_reader read a new view of schema weixin, if that role exists: no
-- row or one. In schema analytics default privileges do that.
SELECT format('GRANT SELECT ON %s TO %I', cast(:name AS text), rolname)
FROM pg_roles
WHERE rolname = 'weixin_reader' AND :schema = 'weixin'
