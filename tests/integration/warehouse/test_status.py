"""How the warehouse stands: read as weixin_reader, judged by the rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from weixin_etl.datasets import ARTICLE_TOTAL, DATASETS
from weixin_etl.model import State
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble import status
from weixin_etl.trouble.at_work import Airflow, DagState, RunAtWork
from weixin_etl.trouble.status import ListedProblem, Status

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
"""One o'clock in the afternoon in Beijing."""
READY = datetime(2026, 11, 24, 0, 31, tzinfo=UTC)
FINE = Airflow(
    dags={it.name: DagState(next_run_at=NOW) for it in DATASETS.values()},
)
DAYS = [date(2026, 11, day) for day in range(17, 24)]
AS_ANSWERED = {State.UNCONFIRMED: (DAYS[0],), State.IN: tuple(DAYS[1:])}
"""What they are called when all were answered this morning: the window of the first is over."""


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
            text("INSERT INTO weixin.collected_since VALUES (:appid, :dataset, '2026-11-17', 60)"),
            {"dataset": ARTICLE_TOTAL.name, "appid": appid},
        )
        for day in DAYS:
            connection.execute(
                text(
                    "INSERT INTO weixin.coverage "
                    "(dataset, appid, day, ready_at, article_count, attempted_at) "
                    "VALUES (:dataset, :appid, :day, :at, 1, :at)"
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
        return status.read(connection, airflow, now=now)


@pytest.mark.every_postgres
def test_all_is_well_when_every_day_is_in(warehouse: Engine, reader: Engine) -> None:
    """The reader may read all that it needs; each account says how fresh it is."""
    collect(warehouse)
    change(
        warehouse,
        "INSERT INTO weixin.api_call VALUES ('wx1', :path, '2026-11-24', 8)",
        path=ARTICLE_TOTAL.path,
    )

    found = read(reader)

    assert found.is_healthy
    assert found.open == ()
    (account,) = found.accounts
    assert (account.facts.last_day_in, account.facts.ready_at) == (date(2026, 11, 23), READY)
    assert account.days == AS_ANSWERED
    assert account.facts.calls_today == 8
    assert account.next_try_at == NOW


RUN = "manual__2026-11-24"
PAUSED = replace(FINE, dags={it: DagState(is_paused=True) for it in DATASETS})
AT_WORK = replace(FINE, runs={ARTICLE_TOTAL.name: {RUN}})


@pytest.mark.parametrize(
    ("airflow", "cure"),
    [
        (PAUSED, f"the Variable weixin_accounts names), then unpause {ARTICLE_TOTAL.dag_id} or "),
        (FINE, f"trigger {ARTICLE_TOTAL.dag_id}, or wait for its next daily run (a run of "),
        (AT_WORK, "wait for the run that is at work"),
    ],
)
def test_that_no_account_is_collected_is_a_problem(
    warehouse: Engine, airflow: Airflow, cure: str
) -> None:
    """As in a fresh installation, which says what to do first: a monitor must not be green."""
    found = read(warehouse, airflow)

    (nothing,) = found.open
    assert (found.is_healthy, found.accounts) == (False, ())
    assert nothing.problem.cause == "daily runs collect no account"
    assert cure in nothing.problem.cure


@pytest.mark.every_postgres
def test_days_that_a_run_at_work_asks_for_are_no_problem(warehouse: Engine, reader: Engine) -> None:
    """While Airflow has it, and a scheduler; what it, or another run, brought in is done."""
    collect(warehouse)
    change(warehouse, "DELETE FROM weixin.coverage WHERE day < '2026-11-21'")
    change(warehouse, "UPDATE weixin.coverage SET ready_at = ready_at - interval '2 days'")
    change(warehouse, "UPDATE weixin.coverage SET settled = 'final' WHERE day = '2026-11-21'")
    change(
        warehouse,
        "INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at) "
        "SELECT :run, :dataset, 'wx1', day, :at FROM unnest(cast(:days AS date[])) AS day "
        "WHERE day != '2026-11-17'",
        run=RUN,
        days=DAYS,
        at=READY,
    )
    change(warehouse, "UPDATE weixin.coverage SET ready_at = now() WHERE day = '2026-11-22'")

    found = read(reader, AT_WORK)
    killed, without_scheduler = (
        read(reader),
        read(reader, replace(AT_WORK, is_scheduler_alive=False)),
    )

    (account,) = found.accounts
    assert account.facts.being_asked == {*DAYS[1:4], DAYS[6]}
    assert account.days[State.LATE] == (*DAYS[:4], DAYS[6])
    assert found.runs == (RunAtWork(ARTICLE_TOTAL.name, RUN, pair_count=6, done=2),)
    assert [it.problem.days for it in found.open] == [(DAYS[0],)]  # which it does not plan
    for it in (killed, without_scheduler):
        assert it.runs == ()
        assert {day for listed in it.open for day in listed.problem.days} == {*DAYS[:4], DAYS[6]}


def test_the_cause_of_others_is_listed_first() -> None:
    """Warehouse, scheduler, DAG, platform, account, day; warnings last."""
    kinds = {
        "warehouse": ListedProblem(Problem(ProblemKind.WAREHOUSE, "", "")),
        "dag": ListedProblem(Problem(ProblemKind.RUN_LATE, "", ""), dataset="article_total"),
        "platform": ListedProblem(Problem(ProblemKind.PLATFORM, "", "", conn_id="weixin_open")),
        "account": ListedProblem(Problem(ProblemKind.DAILY_QUOTA, "", "", "春风", "wx1")),
        "day": ListedProblem(Problem(ProblemKind.UNREADABLE, "", "", "春风", "wx1")),
        "warning": ListedProblem(Problem(ProblemKind.UNKNOWN_METRIC, "", ""), is_warning=True),
    }
    airflow = Airflow({}, is_scheduler_alive=False)

    found = status.assess([], [*kinds.values()][::-1], airflow, now=NOW).open

    assert [it.problem.kind for it in found] == [
        ProblemKind.WAREHOUSE,
        ProblemKind.RUN_LATE,
        ProblemKind.RUN_LATE,
        ProblemKind.PLATFORM,
        ProblemKind.DAILY_QUOTA,
        ProblemKind.UNREADABLE,
        ProblemKind.UNKNOWN_METRIC,
    ]
    assert [it.dataset for it in found[1:3]] == [None, "article_total"]


def test_one_cause_of_many_accounts_is_one_problem() -> None:
    """Though the cure names its connection and counts its days; what concerns all stands alone."""
    many = [
        ListedProblem(
            Problem(
                ProblemKind.CONFIGURATION,
                "the AppSecret is wrong",
                f"correct the password of weixin_{n}, which has {n} of 7 days",
                *(f"号{n}", f"wx{n}", f"weixin_{n}"),
            )
        )
        for n in range(3)
    ]
    of_all = [ListedProblem(Problem(ProblemKind.UNKNOWN_METRIC, it, "ask")) for it in "ab"]

    found = status.alike([many[0], *of_all, *many[1:]])

    assert found == [many, of_all[:1], of_all[1:]]


def test_days_that_are_not_in_are_found_although_nobody_opened_an_incident(
    warehouse: Engine,
) -> None:
    """By state and cause, with the sentences that the last attempt left."""
    collect(warehouse)
    collect(warehouse, "wx2", "夏雨")
    change(
        warehouse,
        "UPDATE weixin.coverage SET ready_at = NULL, error_kind = 'configuration', "
        "error_code = 40125, error = 'the AppSecret is wrong', cure = 'correct the password' "
        "WHERE day >= '2026-11-22'",
    )
    change(warehouse, "DELETE FROM weixin.coverage WHERE appid = 'wx1' AND day = '2026-11-20'")

    found = read(warehouse)

    assert not found.is_healthy
    refused, not_asked = (it.problem for it in found.open)
    assert refused.kind is ProblemKind.CONFIGURATION
    assert (refused.cure, refused.cause) == ("correct the password", "the AppSecret is wrong")
    assert refused.account == "夏雨 and 1 more"
    assert refused.days == (date(2026, 11, 22), date(2026, 11, 23))
    assert not_asked.kind is ProblemKind.NOT_ASKED
    assert (not_asked.account, not_asked.days) == ("春风", (date(2026, 11, 20),))


def test_an_open_incident_speaks_for_its_days(warehouse: Engine) -> None:
    """Nothing is said twice; one that is over is listed for a week."""
    collect(warehouse)
    fail(warehouse, "call_refused", DAYS[-1:])
    for closed_at in (None, datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)):
        change(
            warehouse,
            "INSERT INTO weixin.incident (dataset, kind, appid, account, conn_id, cause, cure, "
            "days, opened_at, seen_at, closed_at) "
            "VALUES (:dataset, 'unheard_of', 'wx1', '春风', '', 'refused', 'ask', "
            "ARRAY[date '2026-11-23'], '2026-11-01', '2026-11-24', :closed_at)",
            closed_at=closed_at,
        )

    found = read(warehouse)

    (incident,) = found.open
    assert incident.problem.kind is ProblemKind.UNKNOWN
    assert incident.problem.cause == "refused"
    assert len(found.closed) == 1
    assert found.accounts[0].open_incidents == 1


def open_incident(warehouse: Engine, kind: str, appid: str | None, **columns: object) -> None:
    """An open incident that people were told of, with some columns as wanted."""
    row = {
        "kind": kind,
        "appid": appid,
        "subject": None,
        "account": "春风" if appid else "",
        "conn_id": "",
        "days": [],
        "opened_at": READY,
        "seen_at": READY,
        "closed_at": None,
        "told_at": READY,
        "closing_told_at": None,
    }
    change(
        warehouse,
        "INSERT INTO weixin.incident (dataset, kind, appid, subject, account, conn_id, cause, "
        "cure, days, opened_at, seen_at, closed_at, told_at, closing_told_at) "
        "VALUES (:dataset, :kind, :appid, :subject, :account, :conn_id, 'it happened', 'mend it', "
        ":days, :opened_at, :seen_at, :closed_at, :told_at, :closing_told_at)",
        **row | columns,
    )


def fail(warehouse: Engine, error_kind: str, days: list[date] = DAYS) -> None:
    """The attempts of some days of this morning failed."""
    change(
        warehouse,
        "UPDATE weixin.coverage SET ready_at = ready_at - interval '1 day', "
        "error_kind = :error_kind, error = 'it happened', cure = 'mend it' "
        "WHERE day = any(:days)",
        error_kind=error_kind,
        days=days,
    )


@pytest.mark.parametrize("kind", ["unreadable", "daily_quota"])
def test_nobody_is_told_to_mend_what_is_over(warehouse: Engine, kind: str) -> None:
    """The account has been answered since, for other days: these are asked for again."""
    collect(warehouse)
    change(warehouse, LEFT_OPEN, day=OLD, at=READY)
    fail(warehouse, kind, [OLD, *DAYS[:2]])
    open_incident(warehouse, kind, "wx1", days=DAYS[:2], closed_at=NOW)

    out_of_reach, still = read(warehouse).open

    assert (still.problem.days, still.problem.errcode) == (tuple(DAYS[:2]), None)
    assert still.problem.cause == out_of_reach.problem.cause == "the last attempt failed"
    assert still.problem.cure == "the next daily run asks again"
    assert out_of_reach.problem.cure == (
        f"trigger weixin_article_total with begin_date {OLD} and end_date {OLD}"
    )


def test_a_warning_does_not_hide_days_that_fail(warehouse: Engine) -> None:
    """A value did not fit on days that are refused since: something is broken."""
    collect(warehouse)
    open_incident(warehouse, "rejected", "wx1", days=DAYS)
    fail(warehouse, "call_refused")

    found = read(warehouse)

    assert [(it.problem.kind, it.is_warning) for it in found.open] == [
        (ProblemKind.CALL_REFUSED, False),
        (ProblemKind.REJECTED, True),
    ]
    assert not found.is_healthy


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("unreachable", {"appid": None, "days": DAYS}),
        ("run_late", {"appid": None}),
        ("program", {"appid": None, "subject": "ingest"}),
        ("configuration", {"appid": "wx1"}),
        ("configuration", {"appid": None, "account": "春风", "conn_id": "weixin_default"}),
    ],
)
def test_an_incident_of_the_account_or_of_the_run_speaks_for_all_its_days(
    warehouse: Engine, kind: str, columns: dict[str, object]
) -> None:
    """One trouble is listed once, though the incident names not each account or day."""
    collect(warehouse)
    fail(warehouse, kind)
    change(warehouse, "DELETE FROM weixin.coverage WHERE day = '2026-11-23'")
    open_incident(warehouse, kind, **columns)  # type: ignore[arg-type]

    found = read(warehouse)

    assert [it.problem.kind for it in found.open] == [ProblemKind(kind)]
    assert not found.is_healthy


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("configuration", {"appid": "wx9"}),
        ("unreadable", {"appid": "wx1", "days": DAYS[:1]}),
        ("unreachable", {"appid": None, "days": DAYS[:1]}),
        ("program", {"appid": None, "subject": "report"}),
    ],
)
def test_an_incident_of_something_else_does_not_speak_for_a_day(
    warehouse: Engine, kind: str, columns: dict[str, object]
) -> None:
    """Of another account, another day, or what has nothing to do with asking."""
    collect(warehouse)
    fail(warehouse, "call_refused", DAYS[-1:])
    open_incident(warehouse, kind, **columns)  # type: ignore[arg-type]

    found = read(warehouse)

    assert [it.problem.kind for it in found.open] == [ProblemKind(kind), ProblemKind.CALL_REFUSED]


HOURS_AGO = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
MINUTES_AGO = datetime(2026, 11, 24, 4, 50, tzinfo=UTC)
LONG_AGO = datetime(2026, 11, 19, tzinfo=UTC)
OFFLINE = """
    UPDATE weixin.coverage
    SET ready_at = NULL, error_kind = 'endpoint_offline', error_code = 47009
"""
UNTOLD = [
    ({"told_at": None, "opened_at": HOURS_AGO}, HOURS_AGO),
    ({"told_at": None, "opened_at": MINUTES_AGO}, None),
    ({"closed_at": HOURS_AGO}, HOURS_AGO),
    ({"closed_at": HOURS_AGO, "closing_told_at": HOURS_AGO}, None),
    ({"told_at": None, "closed_at": LONG_AGO, "opened_at": LONG_AGO}, None),
    ({"told_at": None, "closed_at": HOURS_AGO}, HOURS_AGO),
    ({"kind": "call_refused", "told_at": None, "closed_at": HOURS_AGO}, None),
]


@pytest.mark.parametrize(("columns", "since"), UNTOLD)
def test_messages_that_nobody_got_are_a_problem(
    warehouse: Engine, columns: dict[str, object], since: datetime | None
) -> None:
    """Where there is a receiver; not before an hour, and not of what is never told."""
    collect(warehouse)
    row = {"kind": "rejected", "appid": "wx1", "seen_at": READY} | columns
    open_incident(warehouse, **row)  # type: ignore[arg-type]
    if columns.get("opened_at") == MINUTES_AGO:
        change(warehouse, "UPDATE weixin.incident SET seen_at = opened_at")
    told = Airflow(FINE.dags, alerts="weixin_alerts")

    found = [it for it in read(warehouse, told).open if not it.is_warning]

    assert bool(found) == bool(since)
    for it in found:
        assert it.problem.cause == "1 message about incidents could not be delivered"
        assert "the connection weixin_alerts" in it.problem.cure
    assert read(warehouse).is_healthy


@pytest.mark.parametrize("is_succeeded", [True, False])
def test_a_retired_endpoint_is_a_warning_where_its_successor_collects_the_account(
    warehouse: Engine, *, is_succeeded: bool
) -> None:
    """Else its figures are missing, and the status is red until the successor collects it."""
    collect(warehouse)
    change(warehouse, OFFLINE)
    open_incident(warehouse, "endpoint_offline", "wx1", days=DAYS)
    if is_succeeded:
        change(
            warehouse,
            "INSERT INTO weixin.collected_since VALUES ('wx1', :successor, '2026-11-17', 60)",
            successor=ARTICLE_TOTAL.successor,
        )

    with warehouse.connect() as connection:
        found = status.read(connection, FINE, now=NOW, datasets=[ARTICLE_TOTAL])

    (told,) = found.open
    assert told.is_warning == is_succeeded
    assert [it.is_healthy for it in found.accounts] == [is_succeeded]
    assert found.is_healthy == is_succeeded


def test_a_retirement_is_known_however_long_the_dag_is_paused(warehouse: Engine) -> None:
    """By the two newest days that were asked for: one answer of them, and nothing is retired."""
    collect(warehouse)
    change(warehouse, OFFLINE)
    paused = Airflow({ARTICLE_TOTAL.name: DagState(is_paused=True)})
    later = NOW + timedelta(days=100)

    found = read(warehouse, paused, later)

    assert found.is_healthy
    assert [it.is_retired for it in found.accounts] == [True]

    change(
        warehouse,
        "UPDATE weixin.coverage SET error_kind = 'not_ready', error_code = NULL "
        "WHERE day = '2026-11-22'",
    )
    (problem, *_) = read(warehouse, paused, later).open
    assert problem.problem.cause == "the DAG is paused"


@pytest.mark.parametrize(
    ("airflow", "cause"),
    [
        (Airflow({}), f"Airflow does not know {ARTICLE_TOTAL.dag_id}"),
        (
            Airflow({ARTICLE_TOTAL.name: DagState(is_paused=True)}),
            "the DAG is paused",
        ),
        (
            Airflow({ARTICLE_TOTAL.name: DagState(next_run_at=READY)}),
            "the run of 2026-11-24 08:31 Beijing time was not made",
        ),
        (
            Airflow(FINE.dags, is_scheduler_alive=False),
            "Airflow's scheduler is not responding",
        ),
    ],
)
def test_what_keeps_runs_from_being_made_is_a_problem(
    warehouse: Engine, airflow: Airflow, cause: str
) -> None:
    """Of a dataset that has accounts: the other one's DAG may stay paused."""
    collect(warehouse)

    found = read(warehouse, airflow)

    assert [it.problem.cause for it in found.open] == [cause]
    assert not found.is_healthy


def test_an_account_that_is_not_collected_any_more_has_no_status(warehouse: Engine) -> None:
    """Its days would be late for ever."""
    collect(warehouse)
    change(warehouse, "UPDATE weixin.dim_account SET is_active = FALSE")

    assert read(warehouse).accounts == ()


OLD = date(2026, 8, 3)
LEFT_OPEN = (
    "INSERT INTO weixin.coverage (dataset, appid, day, article_count, attempted_at, error_kind, "
    "error, cure) VALUES (:dataset, 'wx1', :day, 0, :at, 'unreadable', 'no JSON', 'see the answer')"
)


@pytest.mark.every_postgres
def test_days_that_a_run_with_dates_left_open_are_a_problem_until_they_are_in(
    warehouse: Engine, reader: Engine
) -> None:
    """No daily run asks for them: they are lost."""
    collect(warehouse)
    days = (OLD, date(2026, 8, 4))
    for day in days:
        change(warehouse, LEFT_OPEN, day=day, at=READY)
    open_incident(warehouse, "unreadable", "wx1", days=[OLD])
    found = read(reader)
    change(warehouse, "UPDATE weixin.coverage SET ready_at = now() WHERE day = :day", day=days[1])
    brought_in = read(reader)

    assert [it.problem.days for it in found.open] == [(OLD,), days[1:]]
    assert found.open[1].problem.cure == (
        "see the answer; then trigger weixin_article_total with begin_date 2026-08-04 and "
        "end_date 2026-08-04"
    )
    assert found.accounts[0].days[State.LOST] == found.accounts[0].days_not_in == days
    assert not found.is_healthy
    assert [it.problem.days for it in brought_in.open] == [(OLD,)]


def test_days_that_no_run_asked_for_in_time_are_lost(warehouse: Engine) -> None:
    """Since the account's first day; those that daily runs still reach are late."""
    collect(warehouse)
    change(warehouse, "UPDATE weixin.collected_since SET since_date = '2026-09-01'")
    change(
        warehouse,
        "INSERT INTO weixin.coverage (dataset, appid, day, settled, ready_at, article_count, "
        "attempted_at) VALUES (:dataset, 'wx1', '2026-09-02', 'final', :at, 1, :at)",
        at=READY,
    )

    found = read(warehouse)

    (account,) = found.accounts
    lost = account.days[State.LOST]
    assert (len(lost), lost[:2], lost[-1]) == (
        *(16, (date(2026, 9, 1), date(2026, 9, 3)), date(2026, 9, 17)),
    )
    assert account.days[State.LATE][0] == date(2026, 9, 18)
    assert [(it.problem.kind, it.problem.cure) for it in found.open] == [
        (
            ProblemKind.DAYS_LOST,
            "trigger weixin_article_total with begin_date 2026-09-01 and end_date 2026-09-17",
        ),
        (ProblemKind.NOT_ASKED, "the next daily run asks for it"),
    ]


def test_a_day_that_was_given_up_needs_somebody_however_old(warehouse: Engine) -> None:
    """Nobody asks for it again; its last attempt says why."""
    collect(warehouse)
    change(warehouse, LEFT_OPEN, day=OLD, at=READY)
    change(warehouse, "UPDATE weixin.coverage SET settled = 'given_up' WHERE day = :day", day=OLD)

    (given_up,) = read(warehouse).open

    assert (given_up.problem.kind, given_up.problem.days) == (ProblemKind.UNREADABLE, (OLD,))
    assert (given_up.problem.cause, given_up.problem.cure) == ("no JSON", "see the answer")


@pytest.mark.parametrize("settled", [None, "final"])
def test_a_day_whose_last_attempt_failed_is_in_by_what_we_have(
    warehouse: Engine, settled: str | None
) -> None:
    """An answer of this morning stays one, though somebody has asked in vain since."""
    collect(warehouse)
    change(
        warehouse,
        "UPDATE weixin.coverage SET settled = :settled, attempted_at = now(), "
        "error_kind = 'call_refused', error = 'it happened', cure = 'mend it'",
        settled=settled,
    )

    found = read(warehouse)

    assert found.is_healthy
    assert found.accounts[0].days == ({} if settled else AS_ANSWERED)


def test_a_silent_day_is_called_so_until_an_article_is_listed(warehouse: Engine) -> None:
    """Whichever day the account lists it on, and however long ago that day was settled."""
    collect(warehouse)
    change(warehouse, SILENT, day=date(2026, 11, 10))
    change(warehouse, "UPDATE weixin.coverage SET list_sha256 = sha256('')")
    change(warehouse, "UPDATE weixin.coverage SET list_sha256 = NULL WHERE day = '2026-11-10'")
    silent = read(warehouse)
    change(
        warehouse,
        "UPDATE weixin.coverage SET list_sha256 = sha256('x'), settled = 'final' "
        "WHERE day = '2026-11-17'",
    )
    heard = read(warehouse)

    assert silent.accounts[0].days[State.SILENT] == (date(2026, 11, 10),)
    assert State.SILENT not in heard.accounts[0].days
    assert heard.accounts[0].days[State.UNCONFIRMED] == (date(2026, 11, 10),)


SILENT = (
    "INSERT INTO weixin.coverage (dataset, appid, day, ready_at, article_count, attempted_at) "
    "VALUES (:dataset, 'wx1', :day, '2026-11-18 00:31+00', 0, '2026-11-18 00:31+00')"
)
