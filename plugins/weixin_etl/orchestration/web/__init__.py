"""The parts that Airflow's servers load: the plugin, the provider, the listener and the page."""
