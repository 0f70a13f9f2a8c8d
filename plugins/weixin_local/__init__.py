"""
The pipeline on one machine: an embedded Postgres, Airflow, and a run with its summary.

Nothing of the pipeline imports this package; `python -m weixin_local` is its only door.
"""
