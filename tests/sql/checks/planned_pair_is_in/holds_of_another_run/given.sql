INSERT INTO weixin.run_report (run_id, dataset, state) VALUES
    ('another run', 'article_total', 'failed'),
    ('run', 'another dataset', 'failed');
