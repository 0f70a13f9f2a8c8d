-- Insert imported answers that are not kept already, and return how many are left out because
-- answers of their day were pruned: one row. Equal answers fetched at different times keep separate
-- rows, so the order of import does not change the result.
{% from "raw_response/macros.jinja" import is_pruned %}
WITH imported AS (
    SELECT
        given.dataset,
        given.appid,
        given.day,
        given.fetched_at,
        decode(given.body, 'hex') AS body,
        decode(given.body_sha256, 'hex') AS body_sha256,
        {{ is_pruned("given", datasets) | indent(8) }} AS is_pruned
    FROM jsonb_to_recordset(cast(:rows AS jsonb)) AS given (
            dataset text,
            appid text,
            day date,
            body text,
            body_sha256 text,
            fetched_at timestamptz
        )
),

inserted AS (
    INSERT INTO weixin.raw_response (
        dataset, appid, day, body, body_sha256, fetched_at, last_seen_at
    )
    SELECT DISTINCT ON (dataset, appid, day, fetched_at, body_sha256)
        dataset,
        appid,
        day,
        body,
        body_sha256,
        fetched_at,
        fetched_at AS last_seen_at
    FROM imported
    WHERE
        NOT is_pruned
        AND NOT EXISTS (
            SELECT
            FROM weixin.raw_response AS kept
            WHERE
                kept.dataset = imported.dataset
                AND kept.appid = imported.appid
                AND kept.day = imported.day
                AND kept.body_sha256 = imported.body_sha256
                AND imported.fetched_at BETWEEN kept.fetched_at AND kept.last_seen_at
        )
)

SELECT count(*) FILTER (WHERE is_pruned) AS pruned
FROM imported
