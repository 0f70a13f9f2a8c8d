-- All days of accounts: where they have none any more, none is left.
DELETE FROM weixin.account_day_{{ dataset.name }} AS day
WHERE day.appid = any(cast(:appids AS text[]))
