"""
One machine's own stack: the embedded Postgres, Airflow's processes, and one run with its progress.

Nothing of the pipeline imports this package; `python -m weixin_local` is its only door.
"""
