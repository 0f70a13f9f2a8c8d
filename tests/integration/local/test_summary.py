"""What a person reads after a run that does not have everything: a sentence per reason."""

import time
from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine, text

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.model import Run
from weixin_local import summary

RUN = "manual__1"
DAYS = [date(2026, 11, day) for day in (20, 21, 22)]
APPID = "wx1"
THE_RUN = Run(RUN, ARTICLE_TOTAL, date(2026, 11, 24), is_scheduled=False)


def insert(warehouse: Engine, table: str, **values: object) -> None:
    """One row."""
    names = ", ".join(values)
    binds = ", ".join(f":{name}" for name in values)
    with warehouse.begin() as connection:
        statement = f"INSERT INTO weixin.{table} ({names}) VALUES ({binds})"  # noqa: S608 # ours
        connection.execute(text(statement), values)


def reported(
    warehouse: Engine,
    day: date,
    state: str,
    error: str | None = None,
    error_code: int | None = None,
    kind: str = "configuration",
    rid: str | None = None,
) -> None:
    """A pair of the run, and how its last attempt ended."""
    pair = {"dataset": "article_total", "appid": APPID, "publication_date": day}
    planned_at = "2026-11-24T00:00Z"
    insert(warehouse, "run_report", run_id=RUN, state=state, planned_at=planned_at, **pair)
    insert(
        warehouse,
        "coverage",
        attempt_state=state if error else "ok",
        attempted_at="2026-11-24T00:00Z",
        ready_at=None if error else planned_at,
        attempts=1,
        error_kind=kind if error else None,
        error_code=error_code,
        error=error,
        cure="act" if error else None,
        rid=rid,
        **pair,
    )


def test_a_reason_is_told_once_with_the_days_it_holds_back(warehouse: Engine) -> None:
    """WeChat's request ids make no other reason of the same one; what is in has none."""
    for day, rid in zip(DAYS, ("1f-a", "2f-b", "3f-c"), strict=True):
        reported(warehouse, day, "failed", "refused", rid=rid)
    for number, (state, error) in enumerate({"failed": "another", "loaded": None}.items()):
        reported(warehouse, date(2026, 11, number + 10), state, error)

    assert sorted(summary.problems(warehouse, THE_RUN, goes_on=False)) == [
        "wx1: act (another) · 2026-11-10",
        "wx1: act (refused) · 2026-11-20 to 2026-11-22 · rid 3f-c",
    ]


def test_what_a_successor_makes_up_for_is_no_problem(warehouse: Engine) -> None:
    """An account whose endpoint is offline is told of only where nothing goes on with it."""
    reported(warehouse, DAYS[0], "failed", "offline", 47009, "endpoint_offline")

    assert summary.problems(warehouse, THE_RUN, goes_on=True) == []
    assert summary.problems(warehouse, THE_RUN, goes_on=False) == [
        "wx1: unpause and trigger weixin_article_total_detail, which has 0 of 1 days (offline) · "
        "2026-11-20 · errcode 47009"
    ]


@pytest.fixture
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whoever asks lives by UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_utc")
@pytest.mark.parametrize(
    ("now", "when"),
    [
        ("2026-11-23T06:30:00+08:00", "; come back after 08:00 Beijing time (00:00 UTC)"),
        ("2026-11-22T23:30:00+00:00", "; come back after 08:00 Beijing time (00:00 UTC)"),
        ("2026-11-23T09:59:00+08:00", "; come back after 10:00 Beijing time (02:00 UTC)"),
        ("2026-11-23T10:00:00+08:00", ""),
    ],
)
def test_figures_that_are_not_ready_say_when_to_come_back(
    warehouse: Engine, now: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Beijing's time and in that of whoever asks; after ten nobody knows."""
    monkeypatch.setenv("WEIXIN_NOW", now)
    reported(warehouse, DAYS[2], "not_ready", "not ready yet", kind="not_ready")

    assert summary.problems(warehouse, THE_RUN, goes_on=False) == [
        f"wx1: act (not ready yet) · 2026-11-22{when}"
    ]
