"""Where a problem is mended in Airflow's own UI."""

from typing import Any

import pytest

from weixin_etl.orchestration.page import airflow_ui
from weixin_etl.problem import Problem, ProblemKind

OF_B = {"conn_id": "weixin_b", "appid": "wx1"}
A_RUN = "/dags/weixin_article_total/runs/scheduled__2026-11-24T00%3A30%3A00%2B00%3A00"


@pytest.mark.parametrize(
    ("kind", "of", "path"),
    [
        ("configuration", {**OF_B, "errcode": 40125}, "b"),
        ("platform", {"conn_id": "weixin_b", "errcode": 61011}, "b"),
        ("configuration", {"conn_id": "weixin_b/wx1"}, "b"),
        ("warehouse", {"to_change": "weixin_b"}, "b"),
        ("configuration", {**OF_B, "errcode": 48001}, A_RUN),
        ("token_refused", {**OF_B, "errcode": 40001}, A_RUN),
        ("run_late", {}, A_RUN),
    ],
)
def test_the_place_is_the_one_that_the_cure_is_about(
    kind: str, of: dict[str, Any], path: str
) -> None:
    """The connection to change, or the run that met it."""
    problem = Problem(ProblemKind(kind), "the connection x", "correct the connection y", **of)

    shown = airflow_ui.path(problem, "article_total", "scheduled__2026-11-24T00:30:00+00:00")

    assert shown == {"b": "/connections?name_pattern=weixin_b"}.get(path, path)
    assert airflow_ui.path(Problem(ProblemKind.RUN_LATE, "", ""), "article_total") == (
        "/dags/weixin_article_total"
    )
    assert airflow_ui.path(Problem(ProblemKind.RUN_LATE, "", "")) == ""
