-- Which of some answers a table names (there are no foreign keys): one row per answer, with whether
-- only rejected parts do. A row of the fact may name the answer of another publication day, when
-- two days list its article: so all of the accounts' rows are looked through.
SELECT
    raw_response_id,
    bool_and(is_rejected) AS is_rejected
FROM (
    {% for table in [fact, fact + "_history", "article_sighting"] %}
    SELECT
        raw_response_id,
        FALSE AS is_rejected
    FROM weixin.{{ table }}
    WHERE appid = any(:appids) AND raw_response_id = any(:raw_response_ids)
    UNION ALL
    {% endfor %}
    SELECT
        raw_response_id,
        TRUE AS is_rejected
    FROM weixin.rejected_row
    WHERE raw_response_id = any(:raw_response_ids)
) AS reference
GROUP BY raw_response_id
