"""The only part of the package that imports Airflow: DAG tasks, connections, commands, the page."""
