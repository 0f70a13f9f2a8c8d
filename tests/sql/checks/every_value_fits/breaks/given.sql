INSERT INTO weixin.run_report (appid) VALUES ('wx1'), ('wx2');
INSERT INTO weixin.rejected_row
(
    dataset,
    appid,
    publication_date,
    msgid,
    stat_date,
    metric,
    reason,
    payload,
    raw_response_id,
    rejected_at
)
VALUES
('article_total', 'wx1', '2026-11-20', '1_1', '2026-11-22', 'share_user', 'share_user is a text', '', 23, now()),
('article_total', 'wx1', '2026-11-20', '1_1', '2026-11-22', 'share_user', 'share_user is a text', '', 24, now()),
('article_total', 'wx1', '2026-11-20', '1_2', '2026-11-21', 'share_user', 'share_user is a text', '', 24, now()),
('article_total', 'wx1', '2026-11-20', '1_1', '2026-11-22', 'share_count', 'share_count is a list', '', 24, now()),
('article_total', 'wx2', '2026-11-20', NULL, NULL, NULL, 'an article that is not an object', '', 24, now());
