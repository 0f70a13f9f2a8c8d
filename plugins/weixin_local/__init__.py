"""
The pipeline on one machine: an embedded Postgres, Airflow, and a run with its summary.

The Makefile starts it as `python -m weixin_local`. The pipeline does not import this package.
"""
