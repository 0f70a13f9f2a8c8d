-- the newest answer lists it under the 20th; one before did so under the 19th, another on the 21st
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.dim_article (other_publication_dates) VALUES ('{2026-11-19,2026-11-21}');
INSERT INTO weixin.article_sighting DEFAULT VALUES;
