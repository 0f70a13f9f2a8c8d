"""The commands of `weixin-etl` that use Airflow's settings, connections and Variables."""
