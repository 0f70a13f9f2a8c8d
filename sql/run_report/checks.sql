-- warn: every_value_fits: every part of an answer fits, or a newer answer gave it
-- do: wait for an answer that fits; if final, refetch; or fix the parser and replay
SELECT
    rejected.appid,
    rejected.publication_date,
    min(rejected.msgid) AS msgid,
    concat(
        'of ' || min(rejected.stat_date) || ': ',
        rejected.reason,
        CASE WHEN count(*) > 1 THEN format(' (%s such parts)', count(*)) END
    ) AS detail
FROM (
    SELECT DISTINCT
        part.appid,
        part.publication_date,
        part.msgid,
        part.stat_date,
        part.metric,
        part.reason
    FROM weixin.run_report AS report
    INNER JOIN weixin.rejected_row AS part
        ON
            report.dataset = part.dataset
            AND report.appid = part.appid
            AND report.publication_date = part.publication_date
    WHERE
        report.run_id = :run_id
        AND report.dataset = :dataset
        AND report.installation = :installation AND part.resolved_at IS NULL
) AS rejected
GROUP BY rejected.appid, rejected.publication_date, rejected.metric, rejected.reason
ORDER BY rejected.appid ASC, rejected.publication_date DESC, rejected.reason ASC;
