"""Where a problem is seen in Airflow's own UI."""

from typing import Any

import pytest

from weixin_etl.health.troubles import Trouble
from weixin_etl.orchestration.web.page.app import place_in_airflow
from weixin_etl.problem import Problem, ProblemKind

THE_DAG = "/dags/weixin_article_total"


@pytest.mark.parametrize(
    ("of", "run_id", "path"),
    [
        ({}, "", THE_DAG),
        ({"subject": "plan"}, "", THE_DAG),
        ({"subject": "article"}, "r__1+0", f"{THE_DAG}/runs/r__1%2B0"),
        ({"subject": "plan"}, "r__1+0", f"{THE_DAG}/runs/r__1%2B0/tasks/plan"),
    ],
)
def test_the_place_is_the_task_the_run_or_the_dag(
    of: dict[str, Any], run_id: str, path: str
) -> None:
    """As near as it is known; none where it concerns every dataset."""
    problem = Problem(ProblemKind.PROGRAM, "", "", **of)

    assert place_in_airflow(Trouble(problem, "article_total", run_id=run_id)) == path
    assert place_in_airflow(Trouble(problem)) == ""
