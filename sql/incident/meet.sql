-- Troubles that are there: one incident each, as it is now. One that is open goes on, and is told
-- again if it is news; a momentary one is over at once.
{% from "incident/macros.jinja" import problem, problem_parts %}
INSERT INTO weixin.incident AS incident (
    dataset,
    identity,
    severity,
    {{ problem | join(",\n    ") }},
    error_code,
    opened_at,
    news_at,
    closed_at,
    closing_told_at
)
SELECT
    :dataset,
    identity,
    severity,
    {{ problem | join(",\n    ") }},
    errcode,
    :now,
    CASE WHEN is_news THEN cast(:now AS timestamptz) ELSE '-infinity' END,
    CASE WHEN is_momentary THEN cast(:now AS timestamptz) END,
    CASE WHEN is_momentary THEN cast(:now AS timestamptz) END
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS met (
        identity text,
        severity text,
        {{ problem_parts() }},
        is_news boolean,
        is_momentary boolean
    )
ON CONFLICT (dataset, identity) WHERE closed_at IS NULL DO UPDATE SET
    severity = excluded.severity,
    {% for name in problem %}
    {{ name }} = excluded.{{ name }},
    {% endfor %}
    error_code = excluded.error_code,
    news_at = greatest(incident.news_at, excluded.news_at)
