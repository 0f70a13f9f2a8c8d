-- the other endpoint's retirement, and an account no longer in use, are nobody's trouble here
INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at) VALUES
    ('wx1', '报纸', 'weixin_default', TRUE, '2026-11-01T00:00:00Z'),
    ('wx2', '杂志', 'weixin_other', FALSE, '2026-11-01T00:00:00Z');
INSERT INTO weixin.retired (appid, dataset, retired_at, last_asked_at) VALUES
    ('wx1', 'article_total_detail', '2026-11-20T00:30:00Z', '2026-11-20T00:30:00Z'),
    ('wx2', 'article_total', '2026-11-20T00:30:00Z', '2026-11-20T00:30:00Z');
