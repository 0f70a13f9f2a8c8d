-- which another dataset's answers give it, newer than this one's
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage (fetched_at, ready_at) VALUES ('2026-11-24 09:00+08', '2026-11-24 09:00+08');
INSERT INTO weixin.dim_article (other_publication_dates) VALUES ('{2026-11-19}');
UPDATE weixin.raw_response SET publication_date = '2026-11-19' WHERE raw_response_id = 24;
INSERT INTO weixin.article_sighting DEFAULT VALUES;
