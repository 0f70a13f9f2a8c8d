"""Tests of a running Airflow that share one: each with accounts or a warehouse of its own."""
