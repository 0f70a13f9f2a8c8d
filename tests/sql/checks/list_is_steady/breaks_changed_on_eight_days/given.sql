INSERT INTO weixin.run_report DEFAULT VALUES;
INSERT INTO weixin.coverage (is_final, list_changes) VALUES (TRUE, 8);
