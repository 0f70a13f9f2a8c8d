"""How the warehouse stands: read as weixin_reader, judged by the rules."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import Engine, text

from weixin_etl import status
from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.model import DayState, ProblemKind
from weixin_etl.rules import Quota
from weixin_etl.status import Airflow, DagState, Status

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
"""One o'clock in the afternoon in Beijing."""
READY = datetime(2026, 11, 24, 0, 31, tzinfo=UTC)
FINE = Airflow(
    dags={it.name: DagState(is_known=True, next_run_at=NOW) for it in DATASETS.values()},
    pool="weixin_api",
    pool_slots=16,
)
DAYS = [date(2026, 11, day) for day in range(17, 24)]


def collect(warehouse: Engine, appid: str = "wx1", name: str = "春风") -> None:
    """An account since this morning, whose seven days are in."""
    with warehouse.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at) "
                "VALUES (:appid, :name, 'weixin_default', :now)"
            ),
            {"appid": appid, "name": name, "now": NOW},
        )
        connection.execute(
            text("INSERT INTO weixin.first_daily_run VALUES (:dataset, :appid, '2026-11-24')"),
            {"dataset": ARTICLE_TOTAL.name, "appid": appid},
        )
        for day in DAYS:
            connection.execute(
                text(
                    "INSERT INTO weixin.coverage (dataset, appid, publication_date, data_state, "
                    "fetched_at, ready_at, attempt_state, attempted_at) "
                    "VALUES (:dataset, :appid, :day, 'loaded', :at, :at, 'ok', :at)"
                ),
                {"dataset": ARTICLE_TOTAL.name, "appid": appid, "day": day, "at": READY},
            )


def change(warehouse: Engine, sql: str, **values: object) -> None:
    """Do it, and keep it."""
    with warehouse.begin() as connection:
        connection.execute(text(sql), {"dataset": ARTICLE_TOTAL.name, **values})


def read(warehouse: Engine, airflow: Airflow | None = FINE, now: datetime = NOW) -> Status:
    """The status at one in the afternoon."""
    with warehouse.connect() as connection:
        return status.read(connection, airflow, now=now, catch_up_days=60)


def test_all_is_well_when_every_day_is_in(warehouse: Engine, reader: Engine) -> None:
    """The reader may read all that it needs; each account says how fresh it is."""
    collect(warehouse)
    change(
        warehouse,
        "INSERT INTO weixin.api_call VALUES "
        "('wx1', :path, '2026-11-24', 8, 1000, 990, '2026-11-24 00:30+00')",
        path=ARTICLE_TOTAL.path,
    )

    found = read(reader)

    assert found.is_healthy
    assert found.open == ()
    (account,) = found.accounts
    assert (account.last_day_in, account.ready_at) == (date(2026, 11, 23), READY)
    assert account.days == {DayState.IN: tuple(DAYS)}
    assert account.quota == Quota(calls=8, limit=1000, left=990, is_said=True)
    assert account.next_try_at == NOW


def test_an_empty_warehouse_is_well(warehouse: Engine) -> None:
    """Nothing is collected, nothing is missing."""
    found = read(warehouse)

    assert (found.is_healthy, found.open, found.accounts) == (True, (), ())


def test_days_that_are_not_in_are_found_although_nobody_opened_an_incident(
    warehouse: Engine,
) -> None:
    """By state and cause, with the sentences that the last attempt left."""
    collect(warehouse)
    collect(warehouse, "wx2", "夏雨")
    change(
        warehouse,
        "UPDATE weixin.coverage SET attempt_state = 'failed', error_kind = 'configuration', "
        "error_code = 40125, error = 'the AppSecret is wrong', cure = 'correct the password' "
        "WHERE publication_date >= '2026-11-22'",
    )
    change(
        warehouse,
        "DELETE FROM weixin.coverage WHERE appid = 'wx1' AND publication_date = '2026-11-20'",
    )

    found = read(warehouse)

    assert not found.is_healthy
    refused, not_asked = found.open
    assert refused.kind is ProblemKind.CONFIGURATION
    assert (refused.cure, refused.cause) == ("correct the password", "the AppSecret is wrong")
    assert refused.account == "夏雨 and 1 more"
    assert refused.days == (date(2026, 11, 22), date(2026, 11, 23))
    assert not_asked.kind is ProblemKind.NOT_ASKED
    assert (not_asked.account, not_asked.days) == ("春风", (date(2026, 11, 20),))


def test_an_open_incident_speaks_for_its_days(warehouse: Engine) -> None:
    """Nothing is said twice; one that is over is listed for a week."""
    collect(warehouse)
    change(
        warehouse,
        "UPDATE weixin.coverage SET attempt_state = 'failed', error = 'refused', cure = 'ask' "
        "WHERE publication_date = '2026-11-23'",
    )
    for closed_at in (None, datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)):
        change(
            warehouse,
            "INSERT INTO weixin.incident (dataset, kind, appid, account, conn_id, cause, cure, "
            "publication_dates, opened_at, seen_at, closed_at) "
            "VALUES (:dataset, 'unheard_of', 'wx1', '春风', '', 'refused', 'ask', "
            "ARRAY[date '2026-11-23'], '2026-11-01', '2026-11-24', :closed_at)",
            closed_at=closed_at,
        )

    found = read(warehouse)

    (incident,) = found.open
    assert (incident.kind, incident.cause) == (ProblemKind.PROGRAM, "refused")
    assert incident.incident_id is not None
    assert len(found.closed) == 1
    assert found.accounts[0].open_incidents == 1


def test_a_warning_leaves_the_status_healthy(warehouse: Engine) -> None:
    """The figures are stored as WeChat gave them."""
    collect(warehouse)
    change(
        warehouse,
        "INSERT INTO weixin.incident (dataset, kind, appid, account, conn_id, cause, cure, "
        "publication_dates, opened_at, seen_at) VALUES (:dataset, 'total_fell', "
        "'wx1', '春风', '', 'share_user fell', '', ARRAY[date '2026-11-20'], now(), now())",
    )

    found = read(warehouse)

    assert len(found.open) == 1
    assert found.is_healthy


@pytest.mark.parametrize(
    ("airflow", "cause"),
    [
        (Airflow(FINE.dags, "weixin_api", None), "the pool weixin_api does not exist"),
        (Airflow(FINE.dags, "weixin_api", 0), "the pool weixin_api has no slots"),
        (Airflow({}, "weixin_api", 16), f"Airflow does not know {ARTICLE_TOTAL.dag_id}"),
        (
            Airflow({ARTICLE_TOTAL.name: DagState(True, is_paused=True)}, "weixin_api", 16),
            "the DAG is paused",
        ),
        (
            Airflow({ARTICLE_TOTAL.name: DagState(True, next_run_at=READY)}, "weixin_api", 16),
            "the run of 2026-11-24 08:31 Beijing was not made",
        ),
        (
            Airflow(FINE.dags, "weixin_api", 16, is_scheduler_alive=False),
            "Airflow's scheduler gives no sign of life",
        ),
    ],
)
def test_what_keeps_runs_from_being_made_is_a_problem(
    warehouse: Engine, airflow: Airflow, cause: str
) -> None:
    """Of a dataset that has accounts: the other one's DAG may stay paused."""
    collect(warehouse)

    found = read(warehouse, airflow)

    assert [it.cause for it in found.open] == [cause]
    assert not found.is_healthy


def test_a_retired_endpoint_is_no_problem(warehouse: Engine) -> None:
    """Its DAG may be paused, and its days are not late."""
    collect(warehouse)
    change(warehouse, "UPDATE weixin.coverage SET attempt_state = 'failed', error_code = 47009")

    found = read(
        warehouse, Airflow({ARTICLE_TOTAL.name: DagState(True, is_paused=True)}, "weixin_api", 16)
    )

    assert found.accounts[0].is_retired
    assert (found.is_healthy, found.open) == (True, ())


def test_an_account_that_is_not_collected_any_more_has_no_status(warehouse: Engine) -> None:
    """Its days would be late for ever."""
    collect(warehouse)
    change(warehouse, "UPDATE weixin.dim_account SET is_active = FALSE")

    assert read(warehouse).accounts == ()
