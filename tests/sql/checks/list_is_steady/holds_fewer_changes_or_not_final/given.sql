INSERT INTO weixin.run_report (publication_date) VALUES ('2026-11-18'), ('2026-11-19');
INSERT INTO weixin.run_report (run_id) VALUES ('other');
INSERT INTO weixin.coverage (publication_date, is_final, list_changes) VALUES
    ('2026-11-18', TRUE, 7),
    ('2026-11-19', FALSE, 8),
    ('2026-11-20', TRUE, 8);
