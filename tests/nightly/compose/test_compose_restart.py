"""What is in the volumes outlives the containers, and containers that die come back."""

from installation import DAG, Installation

FIGURES = """
    SELECT appid, msgid, stat_date, int_page_read_user, changed_at
    FROM weixin.fact_article_total ORDER BY 1, 2, 3
"""


def plan_log(installation: Installation, run_id: str) -> object:
    """The log of a task of a run."""
    path = f"dags/{DAG}/dagRuns/{run_id}/taskInstances/plan/logs/1"
    return installation.rest()("GET", path)["content"]


def test_rows_and_logs_are_there_after_down_and_up(installation: Installation) -> None:
    """And the next run finds nothing new in them."""
    run = installation.rest().run(DAG)
    rows, log = installation.asks(FIGURES), plan_log(installation, run["dag_run_id"])

    installation.does("docker compose down && docker compose up --detach --wait")

    assert run["state"] == "success"
    assert len(rows) > 100
    assert installation.asks(FIGURES) == rows
    assert plan_log(installation, run["dag_run_id"]) == log
    assert installation.rest().run(DAG)["state"] == "success"
    assert installation.asks(FIGURES) == rows


def test_a_service_whose_process_dies_is_started_again(installation: Installation) -> None:
    """Also Postgres; Airflow is healthy again without anybody's help."""
    before = installation.asks("SELECT count(*) FROM weixin.fact_article_total")

    for service in ("scheduler", "postgres"):
        container = installation.does(f"docker compose ps --quiet {service}").strip()
        pid = installation.does(f"docker inspect --format '{{{{.State.Pid}}}}' {container}").strip()
        installation.does(f"kill -9 {pid}")
    installation.does("docker compose up --detach --wait")
    installation.does("docker compose restart sandbox")  # its network went with the scheduler's

    assert installation.rest().run(DAG)["state"] == "success"
    assert installation.asks("SELECT count(*) FROM weixin.fact_article_total") == before
