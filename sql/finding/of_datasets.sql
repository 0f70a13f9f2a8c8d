-- What tasks have found that coverage does not say: one row each, of some datasets. A day that was
-- attempted since speaks for itself; a finding about days that all do counts no more.
{% from "incident/macros.jinja" import problem %}
SELECT
    finding.dataset,
    finding.{{ problem | reject("equalto", "days") | join(",\n    finding.") }},
    unspoken.days,
    finding.found_at AS opened_at,
    finding.run_id
FROM weixin.finding
CROSS JOIN
    LATERAL (
        SELECT coalesce(array_agg(named.day ORDER BY named.day), '{}') AS days
        FROM unnest(finding.days) AS named (day)
        WHERE
            NOT EXISTS (
                SELECT FROM weixin.coverage
                WHERE
                    coverage.appid = finding.appid
                    AND coverage.dataset = finding.dataset
                    AND coverage.day = named.day
                    AND coverage.attempted_at > finding.found_at
            )
    ) AS unspoken
WHERE
    finding.dataset = any(:datasets)
    AND (finding.days = '{}' OR unspoken.days != '{}')
ORDER BY finding.found_at, finding.kind, finding.account
