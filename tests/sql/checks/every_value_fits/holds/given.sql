-- resolved since, or of a pair or dataset that the run did not plan
INSERT INTO weixin.run_report (rejected) VALUES (2);
INSERT INTO weixin.rejected_row
(dataset, appid, publication_date, reason, payload, raw_response_id, rejected_at, resolved_at)
VALUES
('article_total', 'wx1', '2026-11-20', 'odd', '', 24, now(), now()),
('article_total', 'wx1', '2026-11-19', 'odd', '', 24, now(), NULL),
('article_total_detail', 'wx1', '2026-11-20', 'odd', '', 24, now(), NULL);
