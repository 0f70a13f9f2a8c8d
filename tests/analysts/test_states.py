"""
A pair is called the same by the rules and by the views, at any instant.

Times are Beijing's. The publication day is 20 November, so that with a window of 7 it is over on
the 27th.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import jinja2
import pytest
import sqlalchemy
from sqlalchemy import Engine
from warehouse_loads import at, body, load_pairs, refused
from warehouse_loads import pair as answered

from weixin_etl import rules
from weixin_etl.clock import beijing_date
from weixin_etl.datasets import ARTICLE_TOTAL, FOLLOWER_TOTAL, Dataset
from weixin_etl.model import NOTHING, Coverage, State
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.warehouse.statements import sql_directory

MACROS = jinja2.Environment(loader=jinja2.FileSystemLoader(sql_directory()))  # noqa: S701 - SQL
ONE = """
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT
        cast(:settled AS text) AS settled,
        cast(:ready_at AS timestamptz) AS ready_at,
        cast(:list_sha256 AS bytea) AS list_sha256
) AS pair ON :is_there
LEFT JOIN (
    SELECT cast(:since AS date) AS since_date, cast(:catch_up_days AS integer) AS catch_up_days
) AS since ON cast(:since AS date) IS NOT NULL
"""


def asked(warehouse: Engine, macro: str, it: Coverage | None, **values: Any) -> Any:
    """What a macro of weixin/macros.jinja says of a pair."""
    name = macro.partition("(")[0]
    text = f'{{% from "weixin/macros.jinja" import {name} %}}SELECT {{{{ {macro} }}}} {ONE}'
    known = {name: getattr(it, name, None) for name in ("settled", "ready_at", "list_sha256")}
    values = {"since": None, "catch_up_days": None, "is_there": it is not None, **known, **values}
    with warehouse.connect() as connection:
        return connection.execute(
            sqlalchemy.text(MACROS.from_string(text).render()), values
        ).scalar()


def pair(ready_at: str | None = None, listed: bytes | None = b"some", **rest: str) -> Coverage:
    """A row of coverage; without `ready_at` the only attempt failed."""
    ready = at(ready_at) if ready_at else None
    kind = None if ready else "outage"
    tried = ready or at("01 09:00")
    listed = listed if ready else None
    return Coverage(**rest, ready_at=ready, list_sha256=listed, attempted_at=tried, error_kind=kind)


@dataclass(frozen=True)
class Case:
    """What a pair is called at an instant."""

    why: str
    now: str
    pair: Coverage | None
    state: State
    heard: str | None = None
    since: date | None = date(2026, 11, 1)
    catch_up_days: int = 60
    dataset: Dataset = ARTICLE_TOTAL
    day: date = date(2026, 11, 20)


LATE, OPEN, IN = State.LATE, State.OPEN, State.IN
FINAL, GIVEN_UP, UNCONFIRMED = State.FINAL, State.GIVEN_UP, State.UNCONFIRMED
CASES = [
    Case("settled, whatever the last attempt", "29 12:00", pair(settled="given_up"), GIVEN_UP),
    Case("settled and ready", "29 12:00", pair("29 09:00", settled="final"), FINAL),
    Case("final before it is silent", "29 12:00", pair("29 09:00", None, settled="final"), FINAL),
    # due: today's answer from noon on, yesterday's before
    Case("never asked, not due before noon", "21 11:59", None, OPEN),
    Case("never asked, due at noon", "21 12:00", None, LATE),
    Case("the day itself", "20 23:59", None, OPEN),
    Case("never asked, due since yesterday", "22 00:00", None, LATE),
    Case("refused is not ready", "22 11:59", pair(), LATE),
    Case("yesterday's answer is enough before noon", "22 11:59", pair("21 09:00"), IN),
    Case("and no longer at noon", "22 12:00", pair("21 09:00"), LATE),
    Case("today's is", "22 12:00", pair("22 08:30"), IN),
    Case("an answer of the first minute of the day", "22 12:00", pair("22 00:00"), IN),
    Case("an answer of the last minute of yesterday", "22 12:00", pair("21 23:59"), LATE),
    Case("an empty list is one", "22 12:00", pair("22 08:30", NOTHING), IN),
    Case("silent only when the window is over", "22 12:00", pair("22 08:30", None), IN),
    # unconfirmed: ready when the window was over
    Case("ready on the last morning", "27 12:00", pair("27 00:00"), UNCONFIRMED),
    Case("ready the minute before", "27 11:59", pair("26 23:59"), IN),
    Case("ready the minute before, at noon", "27 12:00", pair("26 23:59"), LATE),
    Case("unconfirmed for long", "30 12:00", pair("28 09:00"), UNCONFIRMED),
    # silent: the window is over, and the newest answer says nothing
    Case("says nothing, on the last morning", "27 12:00", pair("27 09:00", None), UNCONFIRMED),
    Case("says nothing, the day after", "28 00:00", pair("27 09:00", None), State.SILENT),
    Case("asked within the window", "28 12:00", pair("26 09:00", None), LATE),
    Case("heard before", "28 12:00", pair("27 09:00", None), State.SILENT, heard="27 08:59"),
    Case("heard at once", "28 12:00", pair("27 09:00", None), State.UNCONFIRMED, heard="27 09:00"),
    Case("heard since", "28 12:00", pair("27 09:00", None), State.UNCONFIRMED, heard="28 09:00"),
    Case("an empty list is not silence", "28 12:00", pair("27 09:00", NOTHING), UNCONFIRMED),
    # lost: out of reach, and never ready
    Case("before its first run", "28 12:00", None, State.LOST, since=date(2026, 11, 21)),
    Case("on the first day of it", "28 12:00", None, LATE, since=date(2026, 11, 20)),
    Case("refused out of reach", "28 12:00", pair(), State.LOST, since=date(2026, 11, 21)),
    Case("ready once is asked on", "28 12:00", pair("21 09:00"), LATE, since=date(2026, 11, 21)),
    Case("the last day of reach", "28 12:00", None, LATE, catch_up_days=1),
    Case("beyond it, from midnight on", "29 00:00", None, State.LOST, catch_up_days=1),
    Case("not before midnight", "28 23:59", None, LATE, catch_up_days=1),
    Case("no daily run: 60 days", "28 12:00", None, LATE, since=None, day=date(2026, 9, 22)),
    Case("and no more", "28 12:00", None, State.LOST, since=None, day=date(2026, 9, 21)),
    Case("given up, not lost", "28 12:00", pair(settled="given_up"), GIVEN_UP, catch_up_days=0),
    # statistics days
    Case("statistics, not due", "21 11:59", None, OPEN, dataset=FOLLOWER_TOTAL),
    Case("statistics, due", "21 12:00", None, LATE, dataset=FOLLOWER_TOTAL),
    Case("statistics, in", "21 12:00", pair("21 10:00"), IN, dataset=FOLLOWER_TOTAL),
    Case("statistics, lost", "28 12:00", None, State.LOST, dataset=FOLLOWER_TOTAL, catch_up_days=0),
]  # fmt: skip


@pytest.mark.every_postgres
@pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])
def test_rules_and_views_call_a_pair_the_same(warehouse: Engine, case: Case) -> None:
    """`rules.state`, and the macro of the same facts at the same instant."""
    its = case.dataset
    facts = {"now": at(case.now), "heard": at(case.heard) if case.heard else None}
    days = case.catch_up_days if case.since else 60
    reach = rules.reach(its, beijing_date(at(case.now)), case.since, days)
    of_rules = rules.state(its, case.day, case.pair or Coverage(), reach=reach, **facts)
    macro = f"state('pair', 'cast(:day AS date)', {its.window}, 'cast(:first AS date)', 'since', "
    macro += "'cast(:heard AS timestamptz)', 'cast(:now AS timestamptz)')"
    facts |= {"day": case.day, "first": its.first_day, "since": case.since}
    of_views = asked(warehouse, macro, case.pair, catch_up_days=case.catch_up_days, **facts)

    assert (of_rules, of_views) == (case.state, case.state)


def test_every_state_has_a_case() -> None:
    """Each word is met."""
    assert {case.state for case in CASES} == set(State)


PAIRS = {
    "never asked": None,
    "refused": pair(),
    "answered before": pair("24 08:29"),
    "answered since": pair("24 08:30"),
    "final": pair("23 08:30", settled="final"),
    "given up": pair(settled="given_up"),
    "final since": pair("24 08:31", settled="final"),
}


@pytest.mark.every_postgres
@pytest.mark.parametrize("refetch", [False, True], ids=["daily", "refetch"])
@pytest.mark.parametrize("it", PAIRS.values(), ids=PAIRS)
def test_rules_and_statements_agree_on_what_is_in(
    warehouse: Engine, it: Coverage | None, refetch: bool
) -> None:
    """`rules.is_in` and the macro, which the page and the status use."""
    planned_at = at("24 08:30")
    macro = "is_in('pair', 'cast(:planned_at AS timestamptz)', ':refetch')"
    is_in = asked(warehouse, macro, it, planned_at=planned_at, refetch=refetch)

    assert is_in is rules.is_in(it or Coverage(), planned_at, refetch=refetch)


OFFLINE, QUOTA = 47009, 45009


@pytest.mark.every_postgres
@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], False),
        ([OFFLINE], False),
        ([OFFLINE, OFFLINE], True),
        ([None, OFFLINE, OFFLINE], True),
        ([OFFLINE, OFFLINE, None], False),
        ([OFFLINE, None, OFFLINE], False),
        ([OFFLINE, QUOTA], False),
    ],
    ids=str,
)
def test_rules_and_views_agree_on_what_is_retired(
    warehouse: Engine, codes: list[int | None], expected: bool
) -> None:
    """`rules.is_retired` and the macro, of the days' last errcodes, oldest first."""
    days = {date(2026, 11, day): code for day, code in enumerate(codes, start=1)}
    for day, code in days.items():
        kind = ProblemKind.DAILY_QUOTA if code == QUOTA else ProblemKind.ENDPOINT_OFFLINE
        error = WeixinError(kind, code=str(code))
        load_pairs(
            warehouse, refused(error, day=day) if code else answered(body(), "24 09:00", day)
        )
    known = {day: Coverage(attempted_at=at("22 09:00"), error_code=it) for day, it in days.items()}
    found = asked(warehouse, "is_retired(\"'article_total'\", \"'wx1'\")", None)

    assert (rules.is_retired(known), found) == (expected, expected)
