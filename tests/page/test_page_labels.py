"""The page's labels, the signs of its calendar, and its links into Airflow."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from weixin_etl.health.troubles import Trouble
from weixin_etl.model import State
from weixin_etl.orchestration.web.page import app as html
from weixin_etl.orchestration.web.page.calendar import sign
from weixin_etl.problem import Problem, ProblemKind

PAGE = Path(html.__file__).parent
MADE_OF_PARTS = ("view_", "state_", "means_", "sign_", "ending_")
"""Labels whose names the templates put together."""
THE_DAG = "/dags/weixin_article_total"


def test_every_label_that_is_named_is_there_and_every_label_is_named() -> None:
    """`…_one` with the label whose count is one; each state and sign has its name and meaning."""
    templates = "".join(path.read_text() for path in (PAGE / "templates").iterdir())
    named = set(re.findall(r'\bt\("(\w+)"[,)]', templates))
    quoted = set(re.findall(r'"(\w+)"', templates))
    names = {it.removesuffix("_one") for it in html.labels()}

    assert len(named) > 50
    assert named - html.labels().keys() == set()
    assert [it for it in names - quoted if not it.startswith(MADE_OF_PARTS)] == []
    for state in State:
        shown = sign({"state": state, "last_attempt": None, "error_code": None})
        parts = {f"state_{state}", f"means_{state}", f"sign_{shown}", f"sign_means_{shown}"}
        assert parts <= html.labels().keys()
        assert f".{shown} {{" in (PAGE / "static/page.css").read_text()


@pytest.mark.parametrize(
    ("state", "last_attempt", "error_code", "expected"),
    [
        ("final", "failed", 40125, "final"),
        ("unconfirmed", "failed", 40125, "in"),
        ("open", "failed", 40125, "not_yet"),
        ("late", "not_ready", None, "not_yet"),
        ("late", "failed", 40125, "needs_you"),
        ("late", "failed", 47009, "not_yet"),
        ("silent", None, None, "not_yet"),
        ("lost", None, None, "needs_you"),
        ("given_up", "failed", None, "needs_you"),
    ],
)
def test_a_day_needs_somebody_only_if_it_does_not_come_by_itself(
    state: str, last_attempt: str | None, error_code: int | None, expected: str
) -> None:
    """What we have comes first; WeChat's lateness and a retired endpoint need nobody."""
    day = {"state": state, "last_attempt": last_attempt, "error_code": error_code}

    assert sign(day) == expected


def test_a_problem_is_seen_at_its_task_run_or_dag() -> None:
    """As near as it is known; nowhere where it concerns every dataset."""
    problem, dag = Problem(ProblemKind.PROGRAM, "", "", subject="plan"), "article_total"
    other = replace(problem, subject="article")

    assert html.place_in_airflow(Trouble(problem, dag)) == THE_DAG
    assert html.place_in_airflow(Trouble(other, dag, run_id="r+0")) == f"{THE_DAG}/runs/r%2B0"
    task = html.place_in_airflow(Trouble(problem, dag, run_id="r"))
    assert (task, html.place_in_airflow(Trouble(problem))) == (f"{THE_DAG}/runs/r/tasks/plan", "")
    # what begins with a name or an address is copied and searched for as it is
    texts = ("nothing: it is stored", "http://a.b answers 502", "share_user is a text")
    assert [it[0] for it in map(html.sentence, texts)] == ["N", "h", "s"]
