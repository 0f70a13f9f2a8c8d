"""Tests that share one running Airflow; each uses its own accounts or warehouse."""
