-- The other installations that collect into this warehouse: one row each.
SELECT
    installation,
    count(*) AS account_count,
    max(listed_at) AS listed_at
FROM weixin.account_list
WHERE installation != :installation
GROUP BY installation
ORDER BY installation
