-- the run did not ask for the day
INSERT INTO weixin.run_report (run_id) VALUES ('another run');
INSERT INTO weixin.dim_article (other_publication_dates) VALUES ('{2026-11-19}');
INSERT INTO weixin.article_sighting DEFAULT VALUES;
