"""The parts that Airflow's servers load: the plugin, the listener and the page."""
