"""Where a problem is mended in Airflow's own UI."""

from typing import Any

import pytest

from weixin_etl.health.troubles import Trouble
from weixin_etl.orchestration.web.page.problems import place_in_airflow
from weixin_etl.problem import Problem, ProblemKind

OF_B = {"conn_id": "weixin_b", "appid": "wx1"}
THE_DAG = "/dags/weixin_article_total"


@pytest.mark.parametrize(
    ("kind", "of", "path"),
    [
        ("configuration", {**OF_B, "errcode": 40125}, "b"),
        ("configuration", {**OF_B, "errcode": 61011}, "b"),
        ("configuration", {"conn_id": "weixin_b/wx1"}, "b"),
        ("warehouse", {"to_change": "weixin_b"}, "b"),
        ("configuration", {**OF_B, "errcode": 48001}, THE_DAG),
        ("token_refused", {**OF_B, "errcode": 40001}, THE_DAG),
        ("run_late", {}, THE_DAG),
        ("run_ended", {"subject": "m__1"}, f"{THE_DAG}/runs/m__1"),
        ("program", {"subject": "plan"}, f"{THE_DAG}/runs/r__1%2B0/tasks/plan"),
    ],
)
def test_the_place_is_the_one_that_the_cure_is_about(
    kind: str, of: dict[str, Any], path: str
) -> None:
    """The connection to change; else the task, the run, or the DAG."""
    problem = Problem(ProblemKind(kind), "the connection x", "correct the connection y", **of)

    shown = place_in_airflow(Trouble(problem, "article_total", run_id="r__1+0"))

    assert shown == {"b": "/connections?name_pattern=weixin_b"}.get(path, path)
    assert place_in_airflow(Trouble(Problem(ProblemKind.RUN_LATE, "", ""))) == ""
