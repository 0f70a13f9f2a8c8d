-- after ready_hour an answer is ready whatever rows it has
INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.article_sighting (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.fact_article_total (msgid, stat_date) VALUES
    ('1_1', '2026-11-22'),
    ('1_2', '2026-11-22');
