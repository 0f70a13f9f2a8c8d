-- How many messages were delivered since a time: those of one message have the same time.
SELECT count(*) AS message_count
FROM (
    SELECT told_at FROM weixin.incident
    WHERE told_at >= :since
    UNION
    SELECT closing_told_at FROM weixin.incident
    WHERE closing_told_at >= :since AND closing_told_at != closed_at
) AS message
