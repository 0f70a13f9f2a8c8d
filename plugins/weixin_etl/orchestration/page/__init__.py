"""
The page "WeChat articles" in Airflow: problems, coverage, runs, articles.

Behind Airflow's login; it reads and never writes. `app` answers, the modules beside it read the
warehouse, `static` is what the browser gets.
"""
