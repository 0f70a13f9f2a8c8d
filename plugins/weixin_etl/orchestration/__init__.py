"""Everything that imports Airflow; nothing else in the package does."""
