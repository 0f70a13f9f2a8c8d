INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article (other_publication_dates) VALUES ('{2026-11-19}');
INSERT INTO weixin.article_sighting (dataset) VALUES ('article_total_detail');
