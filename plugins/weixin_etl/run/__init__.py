"""The verbs of a morning: plan, ingest, report, check. They know no Airflow."""
