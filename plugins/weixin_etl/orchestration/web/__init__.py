"""What the servers of Airflow load: the plugin, the provider, the page."""
