INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage (is_final) VALUES (FALSE);
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.article_sighting (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.fact_article_total (msgid, stat_date) VALUES
    ('1_1', '2026-11-20'),
    ('1_1', '2026-11-21'),
    ('1_1', '2026-11-22'),
    ('1_1', '2026-11-23'),
    ('1_1', '2026-11-24'),
    ('1_1', '2026-11-25'),
    ('1_1', '2026-11-26'),
    ('1_2', '2026-11-20'),
    ('1_2', '2026-11-21');
