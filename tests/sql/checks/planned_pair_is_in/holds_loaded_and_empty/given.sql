INSERT INTO weixin.run_report (publication_date, state) VALUES
    ('2026-11-20', 'loaded'),
    ('2026-11-21', 'empty');
