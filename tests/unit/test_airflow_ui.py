"""Where a problem is mended in Airflow's own UI."""

import pytest

from weixin_etl.orchestration import airflow_ui
from weixin_etl.problem import Problem, ProblemKind

A_RUN = "/dags/weixin_article_total/runs/scheduled__2026-11-24T00%3A30%3A00%2B00%3A00"


@pytest.mark.parametrize(
    ("kind", "cure", "of", "path"),
    [
        ("configuration", "correct the password in the connection weixin_b", {"appid": "wx1"}, "b"),
        ("configuration", "fill in the password", {"conn_id": "weixin_b/wx1"}, "b"),
        ("warehouse", "start Postgres, or correct the connection weixin_b: it is", {}, "b"),
        ("configuration", "fill in the password", {"conn_id": "weixin_a"}, A_RUN),
        ("configuration", "verify the account", {"conn_id": "weixin_b", "appid": "wx1"}, A_RUN),
        ("pool_missing", "create it", {}, "/pools"),
        ("run_late", "find out what it waits for: a slot of the pool weixin_api", {}, A_RUN),
    ],
)
def test_the_place_is_the_one_that_the_cure_is_about(
    kind: str, cure: str, of: dict[str, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is kept in the environment can't be changed in the UI: its run is shown."""
    monkeypatch.setenv("AIRFLOW_CONN_WEIXIN_A", "weixin://")
    problem = Problem(ProblemKind(kind), "it broke", cure, **of)  # type: ignore[arg-type]

    shown = airflow_ui.path(problem, "article_total", "scheduled__2026-11-24T00:30:00+00:00")

    assert shown == {"b": "/connections?name_pattern=weixin_b"}.get(path, path)
    assert airflow_ui.path(Problem(ProblemKind.RUN_LATE, "", ""), "article_total") == (
        "/dags/weixin_article_total"
    )
    assert airflow_ui.path(Problem(ProblemKind.RUN_LATE, "", "")) == ""
