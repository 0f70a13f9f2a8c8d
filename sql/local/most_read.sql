-- Which articles were read most? The accounts of a run, some publication days: at most three rows,
-- by their newest total. Question 2 of docs/analysts.md.
SELECT
    growth.title,
    growth.publication_date,
    growth.latest AS readers
FROM analytics.article_growth AS growth
WHERE
    growth.dataset = :dataset
    AND growth.metric = :readers
    AND growth.appid = any(
        array(
            SELECT report.appid
            FROM weixin.run_report AS report
            WHERE report.run_id = :run_id AND report.dataset = :dataset
        )
    )
    AND growth.publication_date = any(cast(:publication_dates AS date[]))
    AND growth.latest IS NOT NULL
ORDER BY growth.latest DESC, growth.publication_date DESC, growth.msgid ASC
LIMIT 3
