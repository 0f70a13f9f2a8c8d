-- Return the time of the last notification: one row.
SELECT max(greatest(told_at, nullif(closing_told_at, closed_at))) AS told_at
FROM weixin.incident
