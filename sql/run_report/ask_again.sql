-- Pairs of a run's plan that a later try asks for: planned again until it is known what came of
-- them, whatever came of the try before.
UPDATE weixin.run_report AS report
SET
    state = 'planned',
    is_retryable = TRUE
FROM unnest(
        cast(:appids AS text[]),
        cast(:publication_dates AS date[])
    ) AS asked (appid, publication_date)
WHERE
    report.run_id = :run_id
    AND report.dataset = :dataset
    AND report.installation = :installation
    AND report.appid = asked.appid
    AND report.publication_date = asked.publication_date
