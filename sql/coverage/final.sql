-- Pairs nobody need ask for again: one row per account and publication day whose totals are final.
SELECT
    appid,
    publication_date
FROM weixin.coverage
WHERE
    dataset = :dataset
    AND appid = any(:appids)
    AND publication_date BETWEEN :first_publication_date AND :last_publication_date
    AND is_final
