"""The bodies of the DAGs' tasks, and the reports of what they observe."""
