INSERT INTO weixin.run_report (dataset, publication_date) VALUES ('article_read', '2026-11-21');
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1');
INSERT INTO weixin.fact_article_total_detail
(appid, msgid, stat_date, publication_date, read_user, raw_response_id, fetched_at, loaded_at, changed_at)
VALUES
('wx1', '1_1', '2026-11-20', '2026-11-20', 40, 1, now(), now(), now()),
('wx1', '1_1', '2026-11-21', '2026-11-20', 45, 1, now(), now(), now());
INSERT INTO weixin.fact_article_read
(appid, msgid, stat_date, read_user, raw_response_id, fetched_at, loaded_at, changed_at)
VALUES ('wx1', '1_1', '2026-11-21', 46, 1, now(), now(), now());
INSERT INTO weixin.coverage (dataset, publication_date, ready_at)
VALUES ('article_read', '2026-11-21', '2026-11-22'), ('article_total_detail', '2026-11-20', '2026-11-22');
