-- Return the open findings of some datasets, for all accounts or for some: one row per finding, or
-- two if only a part of its days has figures. A day that was attempted after the finding is left
-- out, because its coverage is newer. A finding whose days were all attempted since is left out
-- too.
{% from "incident/macros.jinja" import problem %}
SELECT
    finding.dataset,
    finding.{{ problem | reject("equalto", "days") | join(",\n    finding.") }},
    unanswered.days,
    unanswered.has_figures,
    finding.found_at AS opened_at,
    finding.run_id
FROM weixin.finding
CROSS JOIN
    LATERAL (
        SELECT
            coverage.ready_at IS NOT NULL AS has_figures,
            array_agg(finding_day.day ORDER BY finding_day.day) AS days
        FROM unnest(finding.days) AS finding_day (day)
        LEFT JOIN weixin.coverage
            ON
                finding.appid = coverage.appid
                AND finding.dataset = coverage.dataset
                AND finding_day.day = coverage.day
        WHERE coalesce(coverage.attempted_at <= finding.found_at, TRUE)
        GROUP BY has_figures
        UNION ALL
        SELECT
            FALSE,
            '{}'
        WHERE finding.days = '{}'
    ) AS unanswered
WHERE
    finding.dataset = any(:datasets)
    AND (
        cast(:appids AS text[]) IS NULL OR finding.appid IS NULL OR finding.appid = any(:appids)
    )
ORDER BY finding.found_at, finding.kind, finding.account
