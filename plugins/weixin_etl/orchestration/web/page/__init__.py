"""
The page "WeChat articles" in Airflow: what is wrong, coverage, articles.

Behind Airflow's login; it reads and never writes. `app` answers, the modules beside it read the
warehouse and judge, `html` writes what they found by `templates`, `static` is what a browser gets.
"""
