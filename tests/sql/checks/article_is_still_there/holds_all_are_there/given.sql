INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage DEFAULT VALUES;
INSERT INTO weixin.dim_article (msgid) VALUES ('1_1'), ('1_2');
INSERT INTO weixin.article_sighting (msgid) VALUES ('1_1'), ('1_2');
