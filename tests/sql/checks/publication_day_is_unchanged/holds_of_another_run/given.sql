-- the run did not ask for the day
INSERT INTO weixin.run_report (run_id) VALUES ('another run');
INSERT INTO weixin.dim_article (publication_date) VALUES ('2026-11-19');
INSERT INTO weixin.fact_article_total DEFAULT VALUES;
