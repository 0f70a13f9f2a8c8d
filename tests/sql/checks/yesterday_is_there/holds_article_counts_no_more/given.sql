-- published on the 16th: its last row is that of the 22nd
INSERT INTO weixin.run_report (publication_date) VALUES ('2026-11-16'), ('2026-11-20');
INSERT INTO weixin.coverage (publication_date) VALUES ('2026-11-16'), ('2026-11-20');
INSERT INTO weixin.dim_article (msgid, publication_date) VALUES
    ('1_1', '2026-11-16'),
    ('2_1', '2026-11-20');
INSERT INTO weixin.article_sighting (msgid) VALUES ('1_1'), ('2_1');
INSERT INTO weixin.fact_article_total (msgid, publication_date, stat_date) VALUES
    ('1_1', '2026-11-16', '2026-11-22'),
    ('2_1', '2026-11-20', '2026-11-23');
