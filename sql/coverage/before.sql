-- Return the stored state of some slices before a load: one row per slice. The row has the newest
-- kept answer, an unused id for the next one, whether a rejected part is open, when another dataset
-- last described the articles, and the columns of coverage. These are NULL if the slice was never
-- requested.
{% set other_datasets = datasets | rejectattr("name", "eq", dataset.name) | map(attribute="name") %}
SELECT
    slice.appid,
    slice.day,
    newest.raw_response_id,
    newest.body_sha256,
    newest.last_seen_at,
    nextval('weixin.raw_response_raw_response_id_seq') AS next_raw_response_id,
    rejection.is_open AS has_open_parts,
    other_answer.described_at,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS slice (dataset, appid, day)
LEFT JOIN weixin.coverage
    ON
        slice.dataset = coverage.dataset
        AND slice.appid = coverage.appid
        AND slice.day = coverage.day
LEFT JOIN LATERAL (
    SELECT
        answer.raw_response_id,
        answer.body_sha256,
        answer.last_seen_at
    FROM weixin.raw_response AS answer
    WHERE
        answer.dataset = slice.dataset
        AND answer.appid = slice.appid
        AND answer.day = slice.day
    ORDER BY answer.last_seen_at DESC, answer.raw_response_id DESC
    LIMIT 1
) AS newest ON TRUE
CROSS JOIN
    LATERAL (
        SELECT count(*) > 0 AS is_open
        FROM weixin.rejected_row AS rejected
        WHERE
            rejected.resolved_at IS NULL
            AND rejected.dataset = slice.dataset
            AND rejected.appid = slice.appid
            AND rejected.day = slice.day
    ) AS rejection
CROSS JOIN LATERAL (
    SELECT max(answer.last_seen_at) AS described_at
    FROM weixin.raw_response AS answer
    WHERE
        {{ dataset.describes_articles }}
        AND answer.dataset IN ('{{ other_datasets | join("', '") }}')
        AND answer.appid = slice.appid
        AND answer.day = slice.day
) AS other_answer
