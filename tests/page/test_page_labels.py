"""The page's labels, the signs of its calendar, and its links into Airflow."""

import re
from dataclasses import replace
from pathlib import Path

from support import cases

from weixin_etl.health.troubles import Severity, Trouble
from weixin_etl.model import State
from weixin_etl.orchestration.web.page import app as html
from weixin_etl.orchestration.web.page.calendar import sign
from weixin_etl.problem import Problem, ProblemKind

PAGE = Path(html.__file__).parent


def test_every_label_that_is_named_is_there() -> None:
    """Each state and sign has its name and meaning."""
    templates = "".join(path.read_text() for path in (PAGE / "templates").iterdir())
    named = set(re.findall(r'\bt\("(\w+)"[,)]', templates))

    assert len(named) > 50
    assert named - html.labels().keys() == set()
    for state in State:
        shown = sign({"state": state, "trouble": None, "is_ended": False})
        parts = {f"state_{state}", f"means_{state}", f"sign_{shown}", f"sign_means_{shown}"}
        assert parts <= html.labels().keys()
        assert f".{shown} {{" in (PAGE / "static/page.css").read_text()


@cases
def test_a_day_needs_somebody_if_its_trouble_does(
    state: str, severity: str, is_ended: str, is_loaded: str, expected: str
) -> None:
    """What we have comes first; what is tried again, or comes by itself, needs nobody."""
    problem = Problem(ProblemKind.CONFIGURATION, "", "")
    trouble = Trouble(problem, severity=Severity(severity)) if severity else None

    day = {"state": state, "trouble": trouble, "is_ended": is_ended, "ready_at": is_loaded}
    assert sign(day) == expected


def test_a_problem_is_seen_at_its_task_run_or_dag() -> None:
    """As near as it is known; nowhere where it concerns every dataset."""
    dag = "article_total"
    plan = Trouble(Problem(ProblemKind.PROGRAM, "", "", subject="plan"), dag, run_id="r+0")
    article = replace(plan, problem=replace(plan.problem, subject="article"))
    seen = [plan, article, replace(plan, run_id=""), replace(plan, dataset="")]

    run = "/dags/weixin_article_total/runs/r%2B0"
    expected = [f"{run}/tasks/plan", run, "/dags/weixin_article_total", ""]
    assert [*map(html.place_in_airflow, seen)] == expected
