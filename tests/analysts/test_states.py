"""
Check that the rules and the views give an account-day the same state at any instant.

The cases stand in states.yaml. `rules.state_of` computes the state in Python; the macro `state` of
sql/weixin/macros.jinja computes it in SQL.
"""

from datetime import date
from pathlib import Path
from typing import Any

import jinja2
import pytest
import sqlalchemy
import yaml
from sqlalchemy import Engine
from support.warehouse_loads import at

from weixin_etl import rules
from weixin_etl.clock import beijing_date
from weixin_etl.datasets import DATASETS
from weixin_etl.model import EMPTY_LIST_SHA256, Coverage, State
from weixin_etl.warehouse.statements import sql_directory

CASES = yaml.safe_load(Path(__file__).with_name("states.yaml").read_text())
USUAL = {"since": date(2026, 11, 1), "catch_up_days": 60, "day": date(2026, 11, 20)}
USUAL |= {"dataset": "article_total", "lists": "some", "asked": "once", "is_ended": False}
USUAL["newest"] = date(2026, 11, 29)
LISTS = {"some": b"some", "nothing": EMPTY_LIST_SHA256, "unknown": None}
MACROS = jinja2.Environment(loader=jinja2.FileSystemLoader(sql_directory()))  # noqa: S701 - SQL
CALLED = MACROS.from_string("""
{% from "weixin/macros.jinja" import state %}
SELECT {{ state("coverage", "cast(:day AS date)", dataset.window, "cast(:first AS date)",
    dataset.describes_articles, "account", "cast(:now AS timestamptz)") }}
FROM (SELECT 1) AS single_row
LEFT JOIN (
    SELECT
        cast(:settled AS text) AS settled,
        cast(:ready_at AS timestamptz) AS ready_at,
        cast(:list_sha256 AS bytea) AS list_sha256
) AS coverage ON :was_asked
LEFT JOIN (
    SELECT
        cast(:since AS date) AS since_date,
        CASE WHEN cast(:since AS date) IS NOT NULL THEN cast(:catch_up_days AS integer) END
            AS catch_up_days,
        cast(:is_ended AS boolean) AS is_ended,
        cast(:last_article_at AS timestamptz) AS last_article_at,
        cast(:newest_date AS date) AS newest_date
) AS account ON TRUE
""")


@pytest.mark.every_postgres
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rules_and_views_give_an_account_day_the_same_state(
    warehouse: Engine, case: dict[str, Any]
) -> None:
    given = USUAL | case
    dataset, now = DATASETS[given["dataset"]], at(given["now"])
    ready_at, last_article_at = (
        at(given[name]) if name in given else None for name in ("ready", "last_article_at")
    )
    listed = LISTS[given["lists"]] if ready_at else None
    coverage = Coverage(settled=given.get("settled"), ready_at=ready_at, list_sha256=listed)
    facts = {"now": now, "last_article_at": last_article_at, "is_ended": given["is_ended"]}
    facts["newest_date"] = given["newest"]
    first_day = rules.catch_up_start(
        dataset, beijing_date(now), given["since"], given["catch_up_days"]
    )
    of_rules = rules.state_of(dataset, given["day"], coverage, catch_up_start=first_day, **facts)

    facts |= {name: given[name] for name in ("day", "since", "catch_up_days")}
    facts |= {"settled": coverage.settled, "list_sha256": listed, "ready_at": ready_at}
    facts |= {"first": dataset.first_day, "was_asked": given["asked"] != "never"}
    with warehouse.connect() as connection:
        sql = sqlalchemy.text(CALLED.render(dataset=dataset))
        of_views = connection.execute(sql, facts).scalar_one()

    assert (of_rules, of_views) == (given["state"], given["state"])


def test_every_state_has_a_case() -> None:
    assert {case["state"] for case in CASES.values()} == set(State)
