-- Whether the user of the session may delete answers: one row.
SELECT has_table_privilege('weixin.raw_response', 'DELETE') AS may_delete
