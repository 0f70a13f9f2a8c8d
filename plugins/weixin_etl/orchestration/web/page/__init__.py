"""The page "WeChat" in Airflow: behind its login, it reads and never writes."""
