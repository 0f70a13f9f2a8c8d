"""A pair is called the same by the rules and by the views."""

from datetime import date, timedelta
from itertools import product

import pytest
import sqlalchemy
from sqlalchemy import Engine
from states import CASES, Case, at

from weixin_etl import rules
from weixin_etl.clock import beijing_date
from weixin_etl.model import Coverage, State
from weixin_etl.warehouse.statements import _templates

CALLED = """
{% from "weixin/macros.jinja" import state %}
SELECT
    {{ state("pair", ":day", window, first_day, "since", ":heard", "cast(:now AS timestamptz)") }}
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
of_cases = pytest.mark.parametrize("case", CASES, ids=[case.why for case in CASES])


@of_cases
def test_the_rules_call_a_pair_so(case: Case) -> None:
    """`rules.state`."""
    now = at(case.now)
    reach = rules.reach(
        case.dataset, beijing_date(now), case.since, case.catch_up_days if case.since else 60
    )
    heard = at(case.heard) if case.heard else None

    called = rules.state(
        case.dataset, case.day, case.pair or Coverage(), reach=reach, heard=heard, now=now
    )

    assert called == case.state


@of_cases
@pytest.mark.every_postgres
def test_the_views_call_a_pair_so(warehouse: Engine, case: Case) -> None:
    """The macro `state`, which views use, of the same facts at the same instant."""
    first_day = f"date '{case.dataset.first_day}'"
    sql = _templates().from_string(CALLED).render(window=case.dataset.window, first_day=first_day)
    values = {
        "day": case.day,
        "now": at(case.now),
        "heard": at(case.heard) if case.heard else None,
        "since": case.since,
        "catch_up_days": case.catch_up_days,
        "is_there": case.pair is not None,
        "settled": case.pair and case.pair.settled,
        "ready_at": case.pair and case.pair.ready_at,
        "list_sha256": case.pair and case.pair.list_sha256,
    }
    sql = sql.replace(":day", "cast(:day AS date)").replace(":heard", "cast(:heard AS timestamptz)")

    with warehouse.connect() as connection:
        called = connection.execute(sqlalchemy.text(sql), values).scalar_one()

    assert called == case.state


IS_IN = """
{% from "weixin/macros.jinja" import is_in %}
SELECT {{ is_in("pair", "cast(:planned_at AS timestamptz)", ":refetch") }}
FROM (SELECT 1) AS one
LEFT JOIN (
    SELECT cast(:settled AS text) AS settled, cast(:ready_at AS timestamptz) AS ready_at
) AS pair ON :is_there
"""
PLANNED_AT = at("24 08:30")
PAIRS = {
    "never asked": None,
    "refused": Coverage(attempted_at=at("24 08:31"), error_kind="offline"),
    "answered before": Coverage(ready_at=at("24 08:29")),
    "answered since": Coverage(ready_at=at("24 08:30")),
    "final": Coverage(settled="final", ready_at=at("23 08:30")),
    "given up": Coverage(settled="given_up"),
    "final since": Coverage(settled="final", ready_at=at("24 08:31")),
}


@pytest.mark.every_postgres
@pytest.mark.parametrize("refetch", [False, True], ids=["daily", "refetch"])
@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_rules_and_statements_agree_on_what_is_in(
    warehouse: Engine, pair: Coverage | None, refetch: bool
) -> None:
    """`rules.is_in` and the macro, which the page and the status use."""
    sql = sqlalchemy.text(_templates().from_string(IS_IN).render())
    values = {
        "planned_at": PLANNED_AT,
        "refetch": refetch,
        "is_there": pair is not None,
        "settled": pair and pair.settled,
        "ready_at": pair and pair.ready_at,
    }

    with warehouse.connect() as connection:
        is_in = connection.execute(sql, values).scalar_one()

    assert is_in is rules.is_in(pair or Coverage(), PLANNED_AT, refetch=refetch)


OFFLINE, OTHER = 47009, 45009
RETIRED = """
{% from "weixin/macros.jinja" import is_retired %}
SELECT {{ is_retired("'article_total'", "'wx1'") }}
"""


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
        ([OFFLINE, OTHER], False),
    ],
    ids=str,
)
def test_rules_and_views_agree_on_what_is_retired(
    warehouse: Engine, codes: list[int | None], expected: bool
) -> None:
    """`rules.is_retired` and the macro, of the days' last errcodes, oldest first."""
    known = {
        date(2026, 11, day): Coverage(attempted_at=at("22 09:00"), error_code=code)
        for day, code in enumerate(codes, start=1)
    }
    sql = _templates().from_string(RETIRED).render()
    with warehouse.begin() as connection:
        for (day, pair), is_of_other in product(known.items(), (False, True)):
            connection.execute(
                sqlalchemy.text(
                    "INSERT INTO weixin.coverage (appid, dataset, day, article_count, attempted_at,"
                    " error_kind, error_code) VALUES (:appid, :dataset, :day, 0, now(), 'x', :code)"
                ),
                {
                    "appid": "wx1",
                    "dataset": "article_read" if is_of_other else "article_total",
                    "day": day + timedelta(days=9 * is_of_other),
                    "code": OFFLINE if is_of_other else pair.error_code,
                },
            )
        found = connection.execute(sqlalchemy.text(sql)).scalar_one()

    assert (rules.is_retired(known), found) == (expected, expected)


def test_every_state_has_a_case() -> None:
    """Each word is met."""
    assert {case.state for case in CASES} == set(State)
