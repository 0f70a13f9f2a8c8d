-- warn: every_row_fits: no part of an answer was rejected
-- do: look at weixin.rejected_row, and report it
SELECT
    appid,
    publication_date,
    NULL AS msgid,
    'has rejected parts, see weixin.rejected_row' AS detail
FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset AND rejected > 0;
