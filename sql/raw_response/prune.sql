-- Remove the bytes of an account's answers of final days that were received last before an instant.
-- Answers of a publication day describe the same articles, so those of all endpoints go together,
-- if the day is final by each that was asked. Return one row: how many answers, and their
-- compressed bytes.
WITH old_day AS (
    SELECT
        coverage.day,
        dataset.kind,
        array_agg(coverage.dataset) AS datasets
    FROM weixin.coverage
    INNER JOIN (
        VALUES
        {% for dataset in every_dataset %}
        ('{{ dataset.name }}', '{{
            "article" if dataset.describes_articles else dataset.name
        }}'){{ "," if not loop.last }}
        {% endfor %}
    ) AS dataset (name, kind)
        ON coverage.dataset = dataset.name
    WHERE coverage.appid = :appid
    GROUP BY coverage.day, dataset.kind
    HAVING bool_and(coverage.settled IS NOT DISTINCT FROM 'final')
),

old AS (
    SELECT
        answer.raw_response_id,
        octet_length(answer.body) AS byte_count
    FROM old_day
    INNER JOIN weixin.raw_response AS answer
        ON old_day.day = answer.day
    WHERE
        answer.appid = :appid
        AND answer.dataset = any(old_day.datasets)
        AND answer.body IS NOT NULL
        AND NOT EXISTS (
            SELECT
            FROM weixin.raw_response AS newer
            WHERE
                newer.appid = :appid
                AND newer.dataset = any(old_day.datasets)
                AND newer.day = old_day.day
                AND newer.last_seen_at >= :before
        )
),

pruned AS (
    UPDATE weixin.raw_response
    SET body = NULL
    FROM old
    WHERE raw_response.raw_response_id = old.raw_response_id AND :is_applied
)

SELECT
    count(*) AS answers,
    coalesce(sum(old.byte_count), 0) AS bytes
FROM old
