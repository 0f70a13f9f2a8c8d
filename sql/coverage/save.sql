-- Save the coverage of some slices after an attempt, a replay or an import: one whole row per
-- slice.
INSERT INTO weixin.coverage (
    appid, dataset, day,
    {{ coverage_columns | join(", ") }}
)
SELECT
    appid,
    :dataset,
    day,
    {{ coverage_columns | join(",\n    ") }}
FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS saved (
        appid text,
        day date,
        settled text,
        ready_at timestamptz,
        list_sha256 bytea,
        article_count integer,
        attempted_at timestamptz,
        error_kind text,
        error_code integer,
        error text,
        cure text,
        listed_since timestamptz,
        fetched_at timestamptz,
        through_date date,
        newest_date date,
        row_count integer,
        fell_at timestamptz,
        fall text
    )
ON CONFLICT (appid, dataset, day) DO UPDATE
    SET
{% for name in coverage_columns %}
    {{ name }} = excluded.{{ name }}{{ "," if not loop.last }}
{% endfor %}
