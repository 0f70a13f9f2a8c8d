INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) VALUES
    ('wx1', '报纸', 'weixin_default', TRUE, '2026-11-01T00:00:00Z');
INSERT INTO weixin.retired (appid, dataset, retired_at, last_asked_at) VALUES
    ('wx1', 'article_total', '2026-11-20T00:30:00Z', '2026-11-20T00:30:00Z');
