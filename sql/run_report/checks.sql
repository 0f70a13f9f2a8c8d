-- warn: every_row_fits: no part of an answer was rejected
SELECT
    appid,
    publication_date,
    NULL AS msgid,
    format('%s parts rejected, see weixin.rejected_row', rejected) AS detail
FROM weixin.run_report
WHERE run_id = :run_id AND dataset = :dataset AND rejected > 0;
