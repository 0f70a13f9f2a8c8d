-- How much is kept: one row per dataset, with the compressed bytes of its answers.
SELECT
    dataset,
    count(*) AS answer_count,
    sum(octet_length(body_zstd))::bigint AS byte_count
FROM weixin.raw_response
GROUP BY dataset
