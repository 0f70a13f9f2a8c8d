-- Replace a task's findings: one row per finding. A task that checked some accounts only
-- replaces the findings of those accounts and findings about the task as a whole. A
-- batch of ingest keeps the whole-task findings of its own run, because it says nothing about other
-- batches.
{% from "incident/macros.jinja" import problem %}
WITH gone AS (
    DELETE FROM weixin.finding
    WHERE
        dataset = :dataset
        AND source = :source
        AND (
            cast(:scope AS text[]) IS NULL
            OR appid = any(:scope)
            OR conn_id = any(:scope)
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
