-- Save the current alerts: one incident each. An open incident is updated, and is notified again if
-- `news_at` is newer. A momentary incident is closed at once.
{% from "incident/macros.jinja" import problem %}
INSERT INTO weixin.incident AS incident (
    dataset,
    dedup_key,
    severity,
    {{ problem | join(",\n    ") }},
    opened_at,
    news_at,
    closed_at,
    closing_told_at
)
SELECT
    :dataset,
    dedup_key,
    severity,
    {{ problem | join(",\n    ") }},
    :now,
    news_at,
    closed_at,
    closed_at AS closing_told_at
FROM jsonb_populate_recordset(cast(NULL AS weixin.incident), cast(:rows AS jsonb))
ON CONFLICT (dataset, dedup_key) WHERE closed_at IS NULL DO UPDATE SET
    severity = excluded.severity,
    {% for name in problem %}
    {{ name }} = excluded.{{ name }},
    {% endfor %}
    news_at = greatest(incident.news_at, excluded.news_at)
