-- Small tables that a plan fills and that nobody has analysed yet, one row each: autovacuum does so
-- only once they have fifty rows, and until then a planner expects hundreds of accounts. Whoever
-- does not own a table may not analyse it.
SELECT relation.oid::regclass::text AS table_name
FROM pg_class AS relation
WHERE
    relation.oid IN (
        'weixin.dim_account'::regclass,
        'weixin.account_list'::regclass
    )
    AND relation.reltuples < 0
    AND pg_has_role(relation.relowner, 'USAGE')
