-- Where answers are kept: one row per answer, with its key, new ones with one that is free.
-- An answer that is kept already only moves last_seen_at. It is, when it is identical to the pair's
-- answer before or after it, or to the pair's newest, all by last_seen_at: one that was fetched
-- earlier than these moves nothing.
WITH answer AS MATERIALIZED (
    SELECT
        fetched.appid,
        fetched.publication_date,
        fetched.fetched_at AS now_seen_at,
        kept.raw_response_id,
        kept.fetched_at,
        kept.last_seen_at
    FROM unnest(
            cast(:datasets AS text[]),
            cast(:appids AS text[]),
            cast(:publication_dates AS date[]),
            cast(:hashes AS bytea[]),
            cast(:fetched_ats AS timestamptz[])
        ) AS fetched (dataset, appid, publication_date, body_sha256, fetched_at)
    LEFT JOIN
        LATERAL (
            SELECT *
            FROM (
                SELECT
                    raw_response_id,
                    fetched_at,
                    last_seen_at,
                    body_sha256 = fetched.body_sha256 AS is_identical,
                    last_seen_at <= fetched.fetched_at AS is_before,
                    row_number() OVER (
                        PARTITION BY last_seen_at <= fetched.fetched_at
                        ORDER BY last_seen_at DESC, raw_response_id DESC
                    ) AS from_newest,
                    row_number() OVER (
                        PARTITION BY last_seen_at <= fetched.fetched_at
                        ORDER BY last_seen_at, raw_response_id
                    ) AS from_oldest
                FROM weixin.raw_response
                WHERE
                    dataset = fetched.dataset
                    AND appid = fetched.appid
                    AND publication_date = fetched.publication_date
            ) AS near
            WHERE
                near.is_identical
                AND (near.from_newest = 1 OR (near.from_oldest = 1 AND NOT near.is_before))
            ORDER BY near.is_before DESC, near.last_seen_at ASC
            LIMIT 1
        ) AS kept
        ON TRUE
),

seen AS (
    UPDATE weixin.raw_response
    SET last_seen_at = answer.now_seen_at
    FROM answer
    WHERE
        raw_response.raw_response_id = answer.raw_response_id
        AND raw_response.last_seen_at < answer.now_seen_at
)

SELECT
    appid,
    publication_date,
    coalesce(raw_response_id, nextval('weixin.raw_response_raw_response_id_seq'))
        AS raw_response_id,
    coalesce(fetched_at, now_seen_at) AS fetched_at,
    greatest(last_seen_at, now_seen_at) AS last_seen_at,
    last_seen_at AS seen_before
FROM answer
ORDER BY appid, publication_date
