INSERT INTO weixin.run_report (publication_date, state) VALUES
    ('2026-11-20', 'loaded'),
    ('2026-11-21', 'failed'),
    ('2026-11-22', 'not_ready');
INSERT INTO weixin.coverage (publication_date, attempt_state, error) VALUES
    ('2026-11-21', 'failed', 'the sentence'),
    ('2026-11-22', 'not_ready', 'another sentence');
