"""Tests of the page's labels, the signs of its calendar, and its links into Airflow."""

import re
from pathlib import Path

import pytest
from support import cases

from weixin_etl.health.alert import Alert, Severity
from weixin_etl.model import State
from weixin_etl.orchestration.web.page import app as html
from weixin_etl.orchestration.web.page import places
from weixin_etl.orchestration.web.page.calendar import sign
from weixin_etl.problem import Problem, ProblemKind

PAGE = Path(html.__file__).parent


def test_every_label_used_in_templates_exists() -> None:
    """Each state and each sign has a name and a meaning."""
    templates = "".join(path.read_text() for path in (PAGE / "templates").iterdir())
    named = set(re.findall(r'\bt\("(\w+)"[,)]', templates))

    assert len(named) > 50
    assert named - html.labels().keys() == set()
    for state in State:
        shown = sign({"state": state, "alert": None, "ready_at": None})
        parts = {f"state_{state}", f"means_{state}", f"sign_{shown}", f"sign_means_{shown}"}
        assert parts <= html.labels().keys()
        assert f".{shown} {{" in (PAGE / "static/page.css").read_text()


@cases
def test_a_day_that_has_rows_shows_its_state_and_others_show_their_alert(
    state: str, severity: str, is_loaded: str, expected: str
) -> None:
    """A day that is retried or waits for figures does not need a person."""
    problem = Problem(ProblemKind.CONFIGURATION, "", "")
    alert = Alert(problem, severity=Severity(severity)) if severity else None

    day = {"state": state, "alert": alert, "ready_at": is_loaded}
    assert sign(day) == expected


RUN = "/dags/weixin_article_total/runs/r%2B0"
FAILED = {
    ("article_total", "r+0"): {"ingest": [3], "check": [-1]},
    ("article_total", "many"): {"ingest": [3, 5]},
}
KEPT = {"weixin_default", "agency", "weixin_warehouse"}


def at(run_id: str, subject: str | None = None, dataset: str = "article_total") -> Alert:
    """Return an alert of a task's problem in a run."""
    return Alert(Problem(ProblemKind.PROGRAM, "", "", subject=subject), dataset, run_id=run_id)


@pytest.mark.parametrize(
    ("alert", "expected"),
    [
        (at("r+0", "plan"), (f"{RUN}/tasks/plan", "open_task")),
        (at("r+0", "article"), (f"{RUN}/tasks/ingest/mapped/3", "open_task")),
        (at("many"), (RUN.replace("r%2B0", "many") + "/tasks/ingest/mapped", "open_task")),
        (at("green"), (RUN.replace("r%2B0", "green"), "open_run")),
        (at(""), ("/dags/weixin_article_total", "open_dag")),
        (at("r+0", dataset=""), None),
    ],
)
def test_an_alert_links_to_its_failed_task_its_run_or_its_dag(
    alert: Alert, expected: tuple[str, str] | None
) -> None:
    """The link is as precise as possible. An alert of all datasets has none."""
    assert places.Places(failed=FAILED).of(alert) == expected


@pytest.mark.parametrize(
    ("kind", "conn_id", "severity", "expected"),
    [
        (ProblemKind.CONFIGURATION, "weixin_default", Severity.FAILURE, "weixin_default"),
        (ProblemKind.CONFIGURATION, "agency/wx1", Severity.FAILURE, "agency"),
        (ProblemKind.WAREHOUSE, "", Severity.FAILURE, "weixin_warehouse"),
        (ProblemKind.CONFIGURATION, "of_the_environment", Severity.FAILURE, ""),
        (ProblemKind.REJECTED, "weixin_default", Severity.WARNING, ""),
    ],
)
def test_a_problem_leads_to_the_connection_to_change(
    kind: ProblemKind, conn_id: str, severity: Severity, expected: str
) -> None:
    """The link exists only if a person must change the connection and can do so in Airflow."""
    problem = Problem(kind, "", "", conn_id=conn_id, appid="wx1")
    known = places.Places(connections=KEPT)

    assert known.connection(Alert(problem, severity=severity)) == expected
