"""
A pair is called the same by the rules and by the views, at any instant.

Times are Beijing's. The publication day is 20 November, so that with a window of 7 it is over on
the 27th.
"""

from dataclasses import dataclass
from datetime import date

import jinja2
import pytest
import sqlalchemy
from sqlalchemy import Engine
from warehouse_loads import at

from weixin_etl import rules
from weixin_etl.clock import beijing_date
from weixin_etl.datasets import ARTICLE_TOTAL, FOLLOWER_TOTAL, Dataset
from weixin_etl.model import NOTHING, Coverage, State
from weixin_etl.warehouse.statements import sql_directory

MACROS = jinja2.Environment(loader=jinja2.FileSystemLoader(sql_directory()))  # noqa: S701 - SQL
CALLED = MACROS.from_string("""
{% from "weixin/macros.jinja" import state %}
SELECT {{ state("pair", "cast(:day AS date)", window, "cast(:first AS date)", "since",
    "cast(:heard AS timestamptz)", "cast(:now AS timestamptz)") }}
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
""")


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
    facts |= {"day": case.day, "first": its.first_day, "since": case.since}
    facts |= {"catch_up_days": case.catch_up_days, "is_there": case.pair is not None}
    for name in ("settled", "ready_at", "list_sha256"):
        facts[name] = getattr(case.pair, name, None)
    with warehouse.connect() as connection:
        sql = sqlalchemy.text(CALLED.render(window=its.window))
        of_views = connection.execute(sql, facts).scalar_one()

    assert (of_rules, of_views) == (case.state, case.state)


def test_every_state_has_a_case() -> None:
    """Each word is met."""
    assert {case.state for case in CASES} == set(State)
