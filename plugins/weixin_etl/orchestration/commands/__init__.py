"""The commands of `weixin-etl` that work with what Airflow knows."""
