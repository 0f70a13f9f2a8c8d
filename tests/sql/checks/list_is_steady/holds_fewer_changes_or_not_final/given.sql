INSERT INTO weixin.run_report (publication_date) VALUES ('2026-11-18'), ('2026-11-19');
INSERT INTO weixin.run_report (run_id) VALUES ('other');
INSERT INTO weixin.run_report (publication_date, is_witness) VALUES ('2026-11-17', TRUE);
INSERT INTO weixin.coverage (publication_date, is_final, list_changes) VALUES
    ('2026-11-17', TRUE, 8),
    ('2026-11-18', TRUE, 7),
    ('2026-11-19', FALSE, 8),
    ('2026-11-20', TRUE, 8);
