"""What Airflow keeps under its connections: accounts, their clients, the warehouse."""
