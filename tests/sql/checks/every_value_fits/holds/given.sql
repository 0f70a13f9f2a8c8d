INSERT INTO weixin.run_report (state, rejected) VALUES ('loaded', 0);
