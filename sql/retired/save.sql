-- WeChat answered 47009: the account's endpoint is offline. One row per account and dataset.
INSERT INTO weixin.retired AS retired (appid, dataset, retired_at, last_asked_at)
VALUES (:appid, :dataset, :asked_at, :asked_at)
ON CONFLICT (appid, dataset) DO UPDATE SET last_asked_at = excluded.last_asked_at
