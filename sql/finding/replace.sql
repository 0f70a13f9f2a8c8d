-- What a task has found: one row each, instead of what it found before. A task that has looked at
-- some accounts only replaces what is theirs, and what kept it from its work before: of ingest an
-- earlier run, as a batch says nothing of others.
{% from "incident/macros.jinja" import problem %}
WITH gone AS (
    DELETE FROM weixin.finding
    WHERE
        dataset = :dataset
        AND source = :source
        AND (
            cast(:looked AS text[]) IS NULL
            OR appid = any(:looked)
            OR conn_id = any(:looked)
            OR (
                appid IS NULL
                AND conn_id = ''
                AND (source != 'ingest' OR run_id != :run_id)
            )
        )
)

INSERT INTO weixin.finding (
    dataset,
    source,
    {{ problem | join(",\n    ") }},
    run_id,
    found_at
)
SELECT
    :dataset,
    :source,
    {{ problem | join(",\n    ") }},
    :run_id,
    :found_at
FROM jsonb_populate_recordset(cast(NULL AS weixin.finding), cast(:rows AS jsonb))
