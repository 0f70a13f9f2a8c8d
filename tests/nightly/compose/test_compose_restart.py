"""What is in the volumes outlives the containers, and containers that die come back."""

from installation import DAG, Installation

FIGURES = """
    SELECT appid, msgid, stat_date, int_page_read_user, changed_at
    FROM weixin.fact_article_total ORDER BY 1, 2, 3
"""


def test_rows_and_logs_are_there_after_down_and_up(installation: Installation) -> None:
    """And the next run finds nothing new in them."""
    log = f"dags/{DAG}/dagRuns/{installation.runs()['dag_run_id']}/taskInstances/plan/logs/1"
    before = installation.asks(FIGURES), installation.rest()("GET", log)["content"]

    installation.does("docker compose down && docker compose up --detach --wait")

    assert all(before)
    assert (installation.asks(FIGURES), installation.rest()("GET", log)["content"]) == before
    assert installation.runs()
    assert installation.asks(FIGURES) == before[0]


def test_a_service_whose_process_dies_is_started_again(installation: Installation) -> None:
    """Also Postgres; Airflow is healthy again without anybody's help."""
    before = installation.asks(FIGURES)

    for service in ("scheduler", "postgres"):
        (container,) = installation.containers(service)
        installation.does(f"kill -9 {installation.inspect(container, '.State.Pid')}")
    installation.does("docker compose up --detach --wait")
    installation.does("docker compose restart sandbox")  # its network went with the scheduler's

    assert installation.runs()
    assert installation.asks(FIGURES) == before
