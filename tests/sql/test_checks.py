"""
Every check of every checks.sql, by cases.

`checks/<check>/<case>/` holds given rows and the rows the check must find in them: appid,
publication day, msgid, detail. A case's name says whether it breaks the promise or holds it.
"""

import json
import logging
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from weixin_etl.api.errors import ConfigurationError
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS, FOLLOWER_CHANGE, FOLLOWER_TOTAL, Dataset
from weixin_etl.model import ConfiguredAccount, PlanStamp, Run
from weixin_etl.run.check import Check, CheckError, Judgement, check, checks
from weixin_etl.run.pairs import run_keys

FOLDER = Path(__file__).parent / "checks"
CASES = sorted(path.parent for path in FOLDER.glob("*/*/given.sql"))
CHECKS = {
    promise.name: (promise, dataset)
    for dataset in reversed(DATASETS.values())
    for promise in checks(dataset)
}
"""By name, with the first dataset whose runs are checked for it."""
RUN = Run("run", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=True)
STAMP = PlanStamp(datetime.fromisoformat("2026-11-24T08:30:00+08:00"), 0)


def found(
    warehouse: Engine, promise: Check, dataset: Dataset, given: str
) -> list[list[str | None]]:
    """What a check finds in given rows, which are taken back."""
    run = replace(RUN, dataset=dataset)
    with warehouse.connect() as connection:
        connection.exec_driver_sql((FOLDER / "defaults.sql").read_text() + given)
        rows = connection.execute(sqlalchemy.text(promise.sql), run_keys(run)).all()
        connection.rollback()
    return sorted([None if value is None else str(value) for value in row] for row in rows)


@pytest.mark.parametrize(
    "case", CASES, ids=[str(case.relative_to(FOLDER)).replace("/", "-") for case in CASES]
)
def test_check_finds_what_breaks_its_promise(warehouse: Engine, case: Path):
    """A check finds exactly the rows that its case expects."""
    given = (case / "given.sql").read_text()

    assert found(warehouse, *CHECKS[case.parent.name], given) == json.loads(
        (case / "expected.json").read_text()
    )


def test_every_check_has_its_cases():
    """Each has a case that breaks it, one that holds, and the empty warehouse, by these names."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for case in CASES:
        kind = case.name.split("_")[0]
        is_broken = json.loads((case / "expected.json").read_text()) != []
        assert is_broken == (kind == "breaks"), case
        kinds[case.parent.name].add(kind)

    assert kinds == {name: {"breaks", "holds", "empty"} for name in CHECKS}


def plan_pairs(
    warehouse: Engine, *pairs: tuple[str, str, str | None, str | None], rid: str | None = None
) -> None:
    """Pairs of the run: account, publication day, when a ready answer came, and the last error."""
    with warehouse.begin() as connection:
        for appid, day, ready_at, error in pairs:
            connection.exec_driver_sql(
                "INSERT INTO weixin.run_report (run_id, dataset, appid, publication_date, "
                "planned_at, state) VALUES "
                "('run', 'article_total', %s, %s, '2026-11-24 08:30+08', %s)",
                (appid, day, "loaded" if ready_at else "planned"),
            )
            connection.exec_driver_sql(
                "INSERT INTO weixin.coverage (dataset, appid, publication_date, fetched_at, "
                "ready_at, data_state, attempt_state, attempted_at, error_kind, error, cure, rid) "
                "VALUES ('article_total', %s, %s, '2026-11-24 08:40+08', %s, 'loaded', 'ok', "
                "now(), %s, %s, %s, %s)",
                (appid, day, ready_at, error and "call_refused", error, error and "ask", rid),
            )


IN = "2026-11-24 08:40+08"
"""After the run was planned."""


def said(judgement: Judgement) -> str:
    """The run's last sentence; empty when it is green."""
    try:
        judgement.require_good()
    except CheckError as error:
        return str(error)
    return ""


def logged(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == level]


def test_pairs_that_are_not_in_make_the_run_red(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """A line per account and cause, days as ranges, one rid; logged as an error, and last."""
    plan_pairs(
        warehouse,
        ("wx1", "2026-11-20", IN, None),
        ("wx1", "2026-11-21", None, "refused"),
        ("wx2", "2026-11-22", None, None),
        rid="2-b",
    )
    plan_pairs(warehouse, ("wx1", "2026-11-22", "2026-11-24 08:20+08", "refused"), rid="1-a")
    caplog.set_level(logging.INFO)

    assert said(check(RUN, warehouse, [], STAMP)) == "2 accounts are not in: see the lines above"
    assert logged(caplog, "ERROR") == [
        "wx1: ask (refused) · 2026-11-21 to 2026-11-22 · rid 1-a",
        "wx2: clear the task ingest (not asked yet) · 2026-11-22 · rid 2-b",
    ]
    assert [record.levelname for record in caplog.records][-2:] == ["ERROR", "ERROR"]
    assert len(logged(caplog, "INFO")) == len([*checks(ARTICLE_TOTAL)])


def test_an_account_that_could_not_be_planned_makes_the_run_red(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """Its connection can't be used, so nobody knows its days. The form may leave it out."""
    no_password = ConfigurationError(account="c", cause="no password", cure="fill it in")
    broken = ConfiguredAccount("c", None, "c", problem=no_password.problem(None))
    left_out = ConfiguredAccount("d", None, "d", False, problem=no_password.problem(None))

    judgement = check(RUN, warehouse, [broken, left_out], STAMP)

    assert said(judgement) == "1 account is not in: see the lines above"
    assert logged(caplog, "ERROR") == ["c: fill it in (no password)"]


def test_both_kinds_at_once(warehouse: Engine, caplog: pytest.LogCaptureFixture):
    """A promise that is broken keeps no other from being tried; only the `fail` is raised."""
    plan_pairs(
        warehouse,
        ("wx1", "2026-11-20", IN, None),
        ("wx1", "2026-11-21", None, None),
    )
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.fact_article_total (appid, msgid, stat_date, publication_date, "
            "raw_response_id, fetched_at, loaded_at, changed_at) "
            "VALUES ('wx1', '1_1', '2026-11-27', '2026-11-20', 7, now(), now(), now())"
        )

    assert said(check(RUN, warehouse, [], STAMP)) == (
        "1 account is not in: see the lines above; broken: raw_answer_exists; see the lines above"
    )
    assert logged(caplog, "ERROR") == [
        "wx1: restore weixin.raw_response from a backup (raw_answer_exists: 1_1 raw_response 7 of "
        "2026-11-27 is gone) · 2026-11-20",
        "wx1: clear the task ingest (not asked yet) · 2026-11-21",
    ]
    (warning,) = logged(caplog, "WARNING")
    assert warning.startswith("wx1: nothing to do: the row is loaded (row_is_in_window: 1_1 ")


def test_a_warning_names_the_first_hundred_accounts(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """
    Its statement finds the others: ten thousand lines help nobody. The run stays green.

    A msgid is named if it is written as WeChat writes them; any other text is not quoted.
    """
    plan_pairs(warehouse, *((f"wx{n}", "2026-11-21", IN, None) for n in range(100, 203)))
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.rejected_row (dataset, appid, publication_date, msgid, stat_date, "
            "metric, reason, payload, raw_response_id, rejected_at) "
            "SELECT dataset, appid, publication_date, "
            "CASE appid WHEN 'wx100' THEN '1_1' ELSE 'https://phish.example' END, '2026-11-22', "
            "'share_user', 'share_user is a text', '', 1, now() FROM weixin.run_report"
        )

    assert said(check(RUN, warehouse, [], STAMP)) == ""

    others, *lines = logged(caplog, "WARNING")
    assert others == "every_value_fits is broken by 3 more accounts"
    assert lines[0] == (
        "wx100: wait for an answer that fits; if final, refetch; or fix the parser and replay "
        "(every_value_fits: 1_1 of 2026-11-22: share_user is a text) · 2026-11-21"
    )
    assert "(every_value_fits: an article with an odd msgid" in lines[1]
    assert len(lines) == 100


@pytest.mark.parametrize(
    ("dataset", "key", "called"),
    [(FOLLOWER_CHANGE, "0", "channel 0"), (FOLLOWER_TOTAL, "", "a row")],
    ids=["channel", "row"],
)
def test_a_row_that_is_no_articles_is_called_what_it_is(
    warehouse: Engine, dataset: Dataset, key: str, called: str
):
    """By the key that its dataset declares."""
    plan_pairs(warehouse, ("wx1", "2026-11-21", IN, None))
    with warehouse.begin() as connection:
        connection.execute(
            sqlalchemy.text("UPDATE weixin.run_report SET dataset = :dataset"),
            {"dataset": dataset.name},
        )
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO weixin.rejected_row (dataset, appid, publication_date, msgid, "
                "stat_date, reason, payload, raw_response_id, rejected_at) VALUES (:dataset, "
                "'wx1', '2026-11-21', :key, '2026-11-21', 'odd', '', 1, now())"
            ),
            {"dataset": dataset.name, "key": key},
        )

    (problem,) = check(replace(RUN, dataset=dataset), warehouse, [], STAMP).warnings

    assert problem.cause == f"every_value_fits: {called} of 2026-11-21: odd"
