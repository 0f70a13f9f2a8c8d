-- What tasks have found that coverage does not say, in some datasets, of all accounts or of some:
-- one row each, and one more if there are figures of only a part of its days. A day that was
-- attempted since speaks for itself; a finding about days that all do counts no more.
{% from "incident/macros.jinja" import problem %}
SELECT
    finding.dataset,
    finding.{{ problem | reject("equalto", "days") | join(",\n    finding.") }},
    unspoken.days,
    unspoken.has_figures,
    finding.found_at AS opened_at,
    finding.run_id
FROM weixin.finding
CROSS JOIN
    LATERAL (
        SELECT
            coverage.ready_at IS NOT NULL AS has_figures,
            array_agg(named.day ORDER BY named.day) AS days
        FROM unnest(finding.days) AS named (day)
        LEFT JOIN weixin.coverage
            ON
                finding.appid = coverage.appid
                AND finding.dataset = coverage.dataset
                AND named.day = coverage.day
        WHERE coalesce(coverage.attempted_at <= finding.found_at, TRUE)
        GROUP BY has_figures
        UNION ALL
        SELECT
            FALSE,
            '{}'
        WHERE finding.days = '{}'
    ) AS unspoken
WHERE
    finding.dataset = any(:datasets)
    AND (
        cast(:appids AS text[]) IS NULL OR finding.appid IS NULL OR finding.appid = any(:appids)
    )
ORDER BY finding.found_at, finding.kind, finding.account
