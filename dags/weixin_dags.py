"""The DAGs of weixin-etl, for a DAG folder of Airflow."""

from weixin_etl.orchestration.dags import create_dags

create_dags()
