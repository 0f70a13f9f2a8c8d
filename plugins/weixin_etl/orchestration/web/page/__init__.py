"""The page "WeChat articles" in Airflow: behind its login, it reads and never writes."""
