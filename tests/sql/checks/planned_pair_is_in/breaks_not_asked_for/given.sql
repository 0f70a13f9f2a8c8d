-- an error of another run's attempt says nothing about this one
INSERT INTO weixin.run_report (state) VALUES ('planned');
INSERT INTO weixin.coverage (attempt_state, error) VALUES ('failed', 'of another run');
