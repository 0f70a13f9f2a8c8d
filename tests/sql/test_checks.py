"""
Every check of every checks.sql, by cases.

`checks/<check>/<case>/` holds given rows and the rows the check must find in them: appid,
publication day, msgid, detail. A case's name says whether it breaks the promise or holds it.
"""

import json
import logging
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy import Engine

from weixin_etl.check import Check, CheckError, check, checks
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import ConfiguredAccount, Run

FOLDER = Path(__file__).parent / "checks"
CASES = sorted(path.parent for path in FOLDER.glob("*/*/given.sql"))
CHECKS = {promise.name: promise for promise in checks(ARTICLE_TOTAL)}
RUN = Run("run", ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=True)


def found(warehouse: Engine, promise: Check, given: str) -> list[list[str | None]]:
    """What a check finds in given rows, which are taken back."""
    with warehouse.connect() as connection:
        connection.exec_driver_sql((FOLDER / "defaults.sql").read_text() + given)
        rows = connection.execute(
            sqlalchemy.text(promise.sql), {"run_id": RUN.run_id, "dataset": RUN.dataset.name}
        ).all()
        connection.rollback()
    return sorted([None if value is None else str(value) for value in row] for row in rows)


@pytest.mark.parametrize(
    "case", CASES, ids=[str(case.relative_to(FOLDER)).replace("/", "-") for case in CASES]
)
def test_check_finds_what_breaks_its_promise(warehouse: Engine, case: Path):
    """A check finds exactly the rows that its case expects."""
    given = (case / "given.sql").read_text()

    assert found(warehouse, CHECKS[case.parent.name], given) == json.loads(
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


def plan_pairs(warehouse: Engine, *pairs: tuple[str, str, str | None, str | None]) -> None:
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
                "ready_at, data_state, attempt_state, attempted_at, error) VALUES "
                "('article_total', %s, %s, '2026-11-24 08:40+08', %s, 'loaded', 'ok', now(), %s)",
                (appid, day, ready_at, error),
            )


IN = "2026-11-24 08:40+08"
"""After the run was planned."""


def logged(caplog: pytest.LogCaptureFixture, level: str) -> list[str]:
    return [record.message for record in caplog.records if record.levelname == level]


def test_pairs_that_are_not_in_make_the_run_red(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """A sentence per account and reason, days as ranges, one rid; and logged as an error."""
    plan_pairs(
        warehouse,
        ("wx1", "2026-11-20", IN, None),
        ("wx1", "2026-11-21", None, "wx1: the sentence (errcode 1: no) rid: 2-b"),
        ("wx1", "2026-11-22", "2026-11-24 08:20+08", "wx1: the sentence (errcode 1: no) rid: 1-a"),
        ("wx2", "2026-11-22", None, None),
    )
    caplog.set_level(logging.INFO)

    with pytest.raises(CheckError) as broken:
        check(RUN, warehouse, [])

    assert logged(caplog, "ERROR") == [
        "wx1: the sentence (errcode 1: no) rid: 1-a [2026-11-21 to 2026-11-22]",
        "wx2: not asked yet; clear the task ingest [2026-11-22]",
    ]
    assert str(broken.value) == "; ".join(logged(caplog, "ERROR"))
    assert len(logged(caplog, "INFO")) == len(CHECKS)


def test_an_account_that_could_not_be_planned_makes_the_run_red(warehouse: Engine):
    """Its connection can't be used, so nobody knows its days. The form may leave it out."""
    broken = ConfiguredAccount("c", None, "c", problem="c: the connection has no password")
    left_out = ConfiguredAccount("d", None, "d", is_wanted=False, problem="d: nor this one")

    with pytest.raises(CheckError, match=r"^c: the connection has no password$"):
        check(RUN, warehouse, [broken, left_out])


def test_broken_warn_only_tells(warehouse: Engine, caplog: pytest.LogCaptureFixture):
    """A broken `warn` is logged with account, day and article; the run stays green."""
    plan_pairs(warehouse, ("wx1", "2026-11-20", IN, None))
    with warehouse.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO weixin.dim_article "
            "(appid, msgid, publication_date, first_seen_at, last_seen_at) VALUES "
            "('wx1', '1_2', '2026-11-20', '2026-11-21 08:30+08', '2026-11-23 08:30+08')"
        )
        connection.exec_driver_sql(
            "INSERT INTO weixin.raw_response (dataset, appid, publication_date, body_zstd, "
            "body_sha256, fetched_at, last_seen_at) VALUES ('article_total', 'wx1', '2026-11-20', "
            "'', '', '2026-11-23 08:30+08', '2026-11-23 08:30+08')"
        )
        connection.exec_driver_sql(
            "INSERT INTO weixin.article_sighting "
            "SELECT dataset, appid, '1_2', raw_response_id FROM weixin.raw_response"
        )
    caplog.set_level(logging.INFO)

    check(RUN, warehouse, [])

    assert logged(caplog, "WARNING") == [
        "article_is_still_there (1): not true that the newest answer holds every article an "
        "earlier one held: wx1 1_2 was last seen at 2026-11-23 00:30:00+00 [2026-11-20]"
    ]
    assert len(logged(caplog, "INFO")) == len(CHECKS) - 1


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
            "raw_response_id, fetched_at, changed_at) "
            "VALUES ('wx1', '1_1', '2026-11-27', '2026-11-20', 7, now(), now())"
        )

    with pytest.raises(CheckError) as broken:
        check(RUN, warehouse, [])

    assert str(broken.value) == (
        "wx1: not asked yet; clear the task ingest [2026-11-21]; "
        "raw_answer_exists (1): not true that the answer a row came from is kept: "
        "wx1 1_1 raw_response 7 of 2026-11-27 is gone [2026-11-20]"
    )
    assert [message.split(" (")[0] for message in logged(caplog, "WARNING")] == ["row_is_in_window"]


def test_of_many_failures_the_exception_names_the_first(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """A line in the log for each account that is not in; the exception stays readable."""
    plan_pairs(warehouse, *((f"wx{n}", "2026-11-21", None, f"wx{n}: no") for n in range(100, 153)))

    with pytest.raises(CheckError) as broken:
        check(RUN, warehouse, [])

    lines = [f"wx{n}: no [2026-11-21]" for n in range(100, 153)]
    assert logged(caplog, "ERROR") == lines
    assert str(broken.value) == "; ".join([*lines[:50], "and 3 more, see the log"])


def test_a_warning_names_the_first_hundred_accounts(
    warehouse: Engine, caplog: pytest.LogCaptureFixture
):
    """Its statement finds the others: a line of ten thousand accounts helps nobody."""
    plan_pairs(warehouse, *((f"wx{n}", "2026-11-21", IN, None) for n in range(100, 203)))
    with warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.run_report SET rejected = 1")

    check(RUN, warehouse, [])

    (line,) = logged(caplog, "WARNING")
    assert line.startswith("every_row_fits (103): not true that no part of an answer was rejected")
    assert line.count("wx") == 100
    assert line.endswith("; and 3 more accounts")
