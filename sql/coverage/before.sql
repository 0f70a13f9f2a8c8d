-- What the warehouse has of some pairs before a load: one row per pair, with its newest answer, the
-- number of a further one, whether a rejected part is open, when another dataset last described its
-- articles, and the columns of coverage, NULL if it was never asked for.
{% set others = datasets | rejectattr("name", "eq", dataset.name) | map(attribute="name") %}
SELECT
    pair.appid,
    pair.day,
    newest.raw_response_id,
    newest.body_sha256,
    newest.last_seen_at,
    nextval('weixin.raw_response_raw_response_id_seq') AS next_raw_response_id,
    part.is_open AS has_open_parts,
    described.described_at,
    coverage.{{ coverage_columns | join(",\n    coverage.") }}
FROM unnest(
        cast(:datasets AS text[]), cast(:appids AS text[]), cast(:days AS date[])
    ) AS pair (dataset, appid, day)
LEFT JOIN weixin.coverage
    ON
        pair.dataset = coverage.dataset
        AND pair.appid = coverage.appid
        AND pair.day = coverage.day
LEFT JOIN LATERAL (
    SELECT
        answer.raw_response_id,
        answer.body_sha256,
        answer.last_seen_at
    FROM weixin.raw_response AS answer
    WHERE
        answer.dataset = pair.dataset
        AND answer.appid = pair.appid
        AND answer.day = pair.day
    ORDER BY answer.last_seen_at DESC, answer.raw_response_id DESC
    LIMIT 1
) AS newest ON TRUE
CROSS JOIN
    LATERAL (
        SELECT count(*) > 0 AS is_open
        FROM weixin.rejected_row AS rejected
        WHERE
            rejected.resolved_at IS NULL
            AND rejected.dataset = pair.dataset
            AND rejected.appid = pair.appid
            AND rejected.day = pair.day
    ) AS part
CROSS JOIN LATERAL (
    SELECT max(answer.last_seen_at) AS described_at
    FROM weixin.raw_response AS answer
    WHERE
        {{ dataset.describes_articles }}
        AND answer.dataset IN ('{{ others | join("', '") }}')
        AND answer.appid = pair.appid
        AND answer.day = pair.day
) AS described
