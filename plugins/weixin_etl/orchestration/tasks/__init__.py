"""The tasks as Airflow runs them: what a run is asked for, and how a task ends."""
