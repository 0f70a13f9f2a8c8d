"""Incidents through weeks: whoever meets trouble, people are told when it begins and is over."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import pytest
import sqlalchemy
from sqlalchemy import Engine
from support import rows

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Run
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble import incidents
from weixin_etl.trouble.incidents import Look, record
from weixin_etl.trouble.messages import Installation, Message, tell

DATASET = DATASETS["article_total"]
FIRST = date(2026, 11, 2)
HERE = Installation("http://airflow.example/weixin/", "production")


def morning(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time of the day so many days after the first one, in Beijing."""
    at = datetime(FIRST.year, FIRST.month, FIRST.day, hour, minute, tzinfo=clock.SHANGHAI)
    return at + timedelta(days=day)


def window(day: int) -> tuple[date, ...]:
    """The publication days that the daily run of that day asks for."""
    today = FIRST + timedelta(days=day)
    return tuple(today - timedelta(days=n) for n in range(7, 0, -1))


def run(day: int, **changed: object) -> Run:
    """The scheduled run of that day."""
    today = FIRST + timedelta(days=day)
    values = {"is_scheduled": True, **changed}
    return Run(f"scheduled__{today}", DATASET, today, **values)  # type: ignore[arg-type]


def refusal(
    appid: str, day: int, kind: ProblemKind = ProblemKind.CONFIGURATION, **changed: object
) -> Problem:
    """What keeps the account's whole window of that day from being in."""
    values = {"cause": "the AppSecret is wrong", "cure": "correct it", "errcode": 40125, **changed}
    values = {"account": f"号{appid}", "appid": appid, "days": window(day), **values}
    return Problem(kind, **values)  # type: ignore[arg-type]


COVERAGE = """
    INSERT INTO weixin.coverage (
        appid, dataset, day, ready_at, article_count, attempted_at, error_kind, error_code
    )
    VALUES (:appid, 'article_total', :day, :ready_at, 0, :at, :error_kind, :error_code)
    ON CONFLICT (appid, dataset, day) DO UPDATE SET
        ready_at = coalesce(excluded.ready_at, coverage.ready_at),
        attempted_at = excluded.attempted_at,
        error_kind = excluded.error_kind,
        error_code = excluded.error_code
"""
REPORT = """
    INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at, attempted_at)
    VALUES (:run_id, 'article_total', :appid, :day, :at, :at)
    ON CONFLICT (run_id, dataset, appid, day) DO UPDATE SET attempted_at = excluded.attempted_at
"""


@dataclass
class People:
    """Those who are told; their receiver may be down."""

    warehouse: Engine
    got: list[Message] = field(default_factory=list)
    is_up: bool = True
    tried: int = 0

    @property
    def titles(self) -> list[str]:
        """What they were told."""
        return [message.title.removeprefix("weixin-etl production: ") for message in self.got]

    def send(self, message: Message) -> bool:
        """As `Send`."""
        self.tried += 1
        if self.is_up:
            self.got.append(message)
        return self.is_up

    def note(self, look: Look, *, may_wait: bool = True) -> None:
        """What a task does when it ends."""
        record(self.warehouse, look)
        self.look_again(look.at, may_wait=may_wait)

    def look_again(self, at: datetime, *, may_wait: bool = True) -> None:
        """Tell what is untold."""
        tell(self.warehouse, lambda: self.send, now=at, here=HERE, may_wait=may_wait)

    def ingest(
        self,
        day: int,
        appids: Sequence[str],
        problems: Sequence[Problem] = (),
        *,
        is_retried: bool = False,
        at: datetime | None = None,
        **changed: object,
    ) -> None:
        """A try of a batch of that day's run ends, a second after its last answer."""
        at = at or morning(day)
        self.answered(day, appids, problems, at - timedelta(seconds=1))
        self.note(
            incidents.of_ingest(
                run(day, **changed),
                at,
                problems,
                dict.fromkeys(appids, window(day)),
                is_retried=is_retried,
            )
        )

    def answered(
        self, day: int, appids: Sequence[str], problems: Sequence[Problem], at: datetime
    ) -> None:
        """WeChat answers for the days of that day's run: figures, or with the problems."""
        self.brought(dict.fromkeys(appids, window(day)), problems, at, run(day).run_id)

    def brought(
        self,
        days: Mapping[str, Sequence[date]],
        problems: Sequence[Problem],
        at: datetime,
        run_id: str = "another",
    ) -> None:
        """How a run's attempts for some days ended: with the account's problem, or ready."""
        refused = {problem.appid: problem for problem in problems}
        pairs = [
            {
                "run_id": run_id,
                "appid": appid,
                "day": day,
                "at": at,
                "ready_at": None if appid in refused else at,
                "error_kind": refused[appid].kind if appid in refused else None,
                "error_code": refused[appid].errcode if appid in refused else None,
            }
            for appid in sorted(days)
            for day in days[appid]
        ]
        with self.warehouse.begin() as connection:
            connection.execute(sqlalchemy.text(COVERAGE), pairs)
            connection.execute(sqlalchemy.text(REPORT), pairs)

    def check(
        self,
        day: int,
        appids: Sequence[str],
        problems: Sequence[Problem] = (),
        *,
        at: datetime | None = None,
        failed_tasks: Sequence[str] = (),
        **changed: object,
    ) -> None:
        """The task check of that day's run ends."""
        self.note(
            incidents.of_check(
                run(day, **changed),
                at or morning(day, 9, 30),
                problems,
                dict.fromkeys(appids, window(day)),
                failed_tasks=failed_tasks,
            ),
            may_wait=False,
        )

    def backfill(
        self, at: datetime, days: Sequence[date], problems: Sequence[Problem] = ()
    ) -> None:
        """A run with dates asks account a for these days, and its check ends a second later."""
        self.brought({"a": days}, [it for it in problems if it.errcode or not it.subject], at)
        dated = run(0, begin_date=days[0], end_date=days[-1], names_dates=True, is_scheduled=False)
        look = incidents.of_check(
            replace(dated, today=clock.beijing_date(at), run_id=f"manual__{at:%H:%M}"),
            at + timedelta(seconds=1),
            problems,
            {"a": days},
        )
        self.note(look, may_wait=False)

    def live_through(self, day: int, appids: Sequence[str], problems: Sequence[Problem]) -> None:
        """A whole run: three tries, and the check."""
        for number in range(3):
            retried = number < 2
            self.ingest(day, appids, problems, is_retried=retried, at=morning(day, 9, 5 * number))
        self.check(day, appids, problems)


@pytest.fixture
def people(warehouse: Engine) -> People:
    """People whose receiver is up."""
    return People(warehouse)


def test_an_account_refused_for_three_days_is_two_messages(people: People):
    """One when it is met, one when it is over, with how long it lasted; three tries a day."""
    for day in range(3):
        people.live_through(day, ["a", "b"], [refusal("a", day)])
    for day in range(3, 20):
        people.live_through(day, ["a", "b"], [])

    link = f"http://airflow.example/weixin/#problem-{people.got[0].incident_ids[0]}"
    assert people.titles == ["号a refused", "over: 号a refused"]
    assert people.got[0].body.splitlines() == [
        "号a: correct it (the AppSecret is wrong) · 2026-10-26 to 2026-11-01 · errcode 40125",
        "since 2026-11-02 09:00 Beijing time",
        f"weixin_article_total: {link}",
    ]
    assert people.got[1].body.splitlines() == [
        "号a: WeChat answers again (before: the AppSecret is wrong) · 2026-10-26 to 2026-11-03 · "
        "errcode 40125",
        "lasted 3 days, from 2026-11-02 09:00 to 2026-11-05 09:00 Beijing time",
        f"weixin_article_total: {link}",
    ]
    assert [it.notify_type for it in people.got] == ["failure", "success"]
    assert people.got[1].facts == {
        "installation": "production",
        "link": link,
        "problems": [
            {
                "kind": "configuration",
                "state": "over",
                "dataset": "article_total",
                "account": "号a",
                "appid": "a",
                "days": [str(day) for day in sorted({*window(0), *window(2)})],
                "errcode": 40125,
                "since": "2026-11-02T01:00:00+00:00",
                "until": "2026-11-05T01:00:00+00:00",
                "link": link,
            }
        ],
    }


@pytest.mark.every_postgres
def test_the_loader_may_do_it(loader: Engine):
    """Daily runs have no other rights."""
    people = People(loader)
    people.live_through(0, ["a"], [refusal("a", 0)])
    people.live_through(1, ["a"], [])

    assert people.titles == ["号a refused", "over: 号a refused"]


def test_what_another_try_may_mend_is_told_by_the_last_one(people: People):
    """Nothing is said of an account while it is tried again, neither that it is refused or well."""
    unreachable = refusal("a", 0, ProblemKind.UNREACHABLE, errcode=None)
    people.ingest(0, ["a"], [unreachable], is_retried=True)
    before = list(people.titles)
    people.ingest(0, ["a"], [unreachable], at=morning(0, 9, 20))

    assert before == []
    assert people.titles == ["WeChat unreachable"]


def test_a_refusal_is_told_though_another_account_is_tried_again(people: People):
    """Its own last try has ended."""
    unreachable = refusal("b", 0, ProblemKind.UNREACHABLE)
    people.ingest(0, ["a", "b"], [refusal("a", 0), unreachable], is_retried=True)

    assert people.titles == ["号a refused"]


def test_another_errcode_is_another_thing_to_mend(people: People):
    """The whitelist is mended, now the secret is wrong: both are told."""
    people.ingest(0, ["a"], [refusal("a", 0, errcode=40164, cause="not on the whitelist")])
    people.ingest(0, ["a"], [refusal("a", 0)], at=morning(0, 10))

    assert people.titles == ["号a refused", "over: 号a refused", "号a refused"]
    assert "lasted 1 h 0 min" in people.got[1].body


def test_an_unreachable_api_does_not_say_that_a_refusal_is_over(people: People):
    """Only an answer does."""
    people.live_through(0, ["a"], [refusal("a", 0)])
    people.ingest(1, ["a"], [refusal("a", 1, ProblemKind.UNREACHABLE)])
    before = list(people.titles)
    people.live_through(2, ["a"], [])

    assert before == ["号a refused", "WeChat unreachable"]
    assert sorted(people.titles[2:]) == ["over: WeChat unreachable", "over: 号a refused"]


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        (ProblemKind.CONFIGURATION, {}),
        (ProblemKind.CALL_REFUSED, {"errcode": 47001}),
        (ProblemKind.DAILY_QUOTA, {"errcode": 45009}),
        (ProblemKind.ENDPOINT_OFFLINE, {"errcode": 47009}),
        (ProblemKind.UNREACHABLE, {"errcode": None}),
    ],
)
def test_answers_from_before_the_trouble_do_not_say_that_it_is_over(
    people: People, kind: ProblemKind, changed: dict[str, object]
):
    """A green run whose `check` is cleared after a red one; nor does the same refusal again."""
    refused = refusal("a", 0, kind, **changed)
    people.live_through(0, ["a", "b"], [])
    people.ingest(0, ["a", "b"], [refused], at=morning(0, 10))
    people.check(0, ["a", "b"], [refused], at=morning(0, 10, 10))
    people.check(0, ["a", "b"], [], at=morning(0, 10, 20))
    people.answered(0, ["a", "b"], [refused], morning(0, 10, 30))
    people.check(0, ["a", "b"], [], at=morning(0, 10, 40))
    before = list(people.titles)
    people.ingest(0, ["a"], [], at=morning(0, 11))
    people.check(0, ["a", "b"], [], at=morning(0, 11, 10))

    assert len(before) == 1
    assert people.titles[1:] == [f"over: {people.titles[0]}"]


@pytest.mark.parametrize(
    ("refused_at", "told_again"),
    [
        (morning(0, 9, 5), []),
        (morning(0, 9, 10) + timedelta(milliseconds=500), ["号a refused"]),
        (morning(0, 9, 15), ["号a refused"]),
    ],
    ids=["before", "before that was seen", "since"],
)
def test_a_refusal_from_before_another_run_was_answered_is_not_told_again(
    people: People, refused_at: datetime, told_again: list[str]
):
    """By the check of a long run, after a backfill has shown that it is over; a new one is."""
    people.ingest(0, ["a"], [refusal("a", 0)])
    people.answered(0, ["a"], [refusal("a", 0)], refused_at)
    people.backfill(morning(0, 9, 10), AUGUST)
    people.check(0, ["a"], [refusal("a", 0)])
    by_the_check = list(people.titles)
    people.note(incidents.of_tokens(run(0), morning(0, 10), [refusal("a", 0)], ["a"]))

    assert by_the_check == ["号a refused", "over: 号a refused", *told_again]
    assert people.titles == ["号a refused", "over: 号a refused", "号a refused"]


def test_a_refusal_of_a_later_morning_is_told_though_another_run_was_answered(people: People):
    """It is not the one that was over before."""
    for day in range(2):
        people.answered(day, ["a"], [refusal("a", day)], morning(day, 9))
        people.check(day, ["a"], [refusal("a", day)], at=morning(day, 9, 5))
        people.backfill(morning(day, 9, 10), AUGUST)
    people.answered(2, ["a"], [refusal("a", 2)], morning(2, 9))
    people.brought({"a": AUGUST}, [], morning(2, 9, 10))
    people.check(2, ["a"], [refusal("a", 2)])

    assert people.titles == ["号a refused", "over: 号a refused"] * 2 + ["号a refused"]


def test_other_days_from_before_another_run_was_answered_are_told(people: People):
    """A refusal of days is over when they are in: it says nothing about those of a long run."""
    refused = refusal("a", 0, ProblemKind.CALL_REFUSED)
    people.backfill(morning(0, 8), AUGUST, [replace(refused, days=AUGUST)])
    people.answered(0, ["a"], [refused], morning(0, 9))
    people.backfill(morning(0, 9, 10), AUGUST)
    people.check(0, ["a"], [refused])

    assert people.titles == ["号a refused", "over: 号a refused", "号a refused"]


def test_an_ingest_that_asks_for_no_day_does_not_say_that_a_refusal_is_over(people: People):
    """It has asked nothing of the account."""
    people.live_through(0, ["a"], [refusal("a", 0)])
    people.note(incidents.of_ingest(run(0), morning(0, 10), [], {"a": []}, is_retried=False))

    assert people.titles == ["号a refused"]


def test_a_connection_is_whole_again_when_tokens_are_asked_for(people: People):
    """The `check` of an older run has only the connections as they were."""
    missing = Problem(
        ProblemKind.CONFIGURATION, "there is no connection", "add it", account="x", subject="x"
    )
    people.note(incidents.of_tokens(run(0), morning(0), [missing], []))
    people.check(0, ["a"], [], at=morning(0, 10))
    before = list(people.titles)
    people.note(incidents.of_tokens(run(0), morning(0, 11), [], []))

    assert before == ["x refused"]
    assert people.titles == [*before, "over: x refused"]


def test_a_platform_without_a_token_keeps_only_its_own_accounts_incidents(people: People):
    """Of them nothing is known; what else was wrong is over when it is."""
    of_its = refusal("a", 0, ProblemKind.ENDPOINT_OFFLINE)
    people.check(0, ["a", "b"], [replace(of_its, conn_id="p/wxa")])
    late = Problem(ProblemKind.RUN_LATE, "not ended", "look")
    people.note(Look(run(1), morning(1, 9), problems=[late]))
    ticket = Problem(ProblemKind.PLATFORM, "the ticket is old", "mend it", conn_id="p")
    people.answered(1, ["a", "b"], [], morning(1, 9))
    people.check(1, ["a", "b"], [ticket])

    over = [title for title in people.titles if title.startswith("over")]
    assert over == ["over: the daily run is late"]
    assert "p gets no token" in people.titles


def test_an_api_that_is_down_is_one_incident_of_the_run(people: People):
    """However many accounts and batches meet it; and one that is down again is another."""
    for day in (0, 2, 3):
        for appid in "abcd":
            people.ingest(day, [appid], [refusal(appid, day, ProblemKind.UNREACHABLE)])
        met = [refusal(appid, day, ProblemKind.UNREACHABLE) for appid in "abcd"]
        people.check(day, "abcd", met)
        if day != 2:
            people.live_through(day + 1, "abcd", [])

    assert people.titles == ["WeChat unreachable", "over: WeChat unreachable"] * 2


def test_one_account_of_many_that_cannot_be_reached_is_its_own(people: People):
    """The others had an answer: the API is not down."""
    met = [refusal("a", 0, ProblemKind.UNREACHABLE)]
    people.live_through(0, ["a", "b"], met)

    assert people.titles == ["号a unreachable"]


def test_figures_that_are_not_ready_are_told_at_noon_only(people: People):
    """And once, though they come only the day after."""
    late = ProblemKind.NOT_READY
    yesterday = {"days": window(0)[-1:], "errcode": None}
    for hour in (8, 9, 10, 11):
        people.ingest(0, ["a"], [refusal("a", 0, late, **yesterday)], at=morning(0, hour))
    before = list(people.titles)
    people.ingest(0, ["a"], [refusal("a", 0, late, **yesterday)], at=morning(0, 12))
    people.check(0, ["a"], [refusal("a", 0, late, **yesterday)], at=morning(0, 12, 1))
    two = {"days": window(1)[-2:], "errcode": None}
    people.ingest(1, ["a"], [refusal("a", 1, late, **two)], at=morning(1, 8, 30))
    people.live_through(1, ["a"], [])

    assert before == []
    assert people.titles == ["号a: figures not ready", "over: 号a: figures not ready"]


def test_days_that_were_not_asked_for_are_that_no_more_once_they_are(people: People):
    """Whatever came of them: nobody is told to clear a task that has asked."""
    days = {"days": window(0)[-1:], "errcode": None}
    people.check(0, ["a"], [refusal("a", 0, ProblemKind.NOT_ASKED, **days)], at=morning(0, 9))
    late = [refusal("a", 0, ProblemKind.NOT_READY, **days)]
    people.ingest(0, ["a"], late, at=morning(0, 10))

    assert people.titles == ["号a not asked", "over: 号a not asked"]
    assert people.got[1].body.startswith("号a: the days have been asked for (before: ")


def test_a_day_that_is_given_up_is_not_in(people: People):
    """Nobody asks for it again: it is a problem until a replay, or a refetch, makes it good."""
    day = window(0)[-1:]
    odd = [refusal("a", 0, ProblemKind.UNREADABLE, days=day, errcode=None)]
    people.brought({"a": day}, odd, morning(0))
    with people.warehouse.begin() as connection:
        connection.exec_driver_sql("UPDATE weixin.coverage SET settled = 'given_up'")
    people.check(0, ["a"], odd)
    people.check(1, ["a"])
    before = list(people.titles)
    people.brought({"a": day}, [], morning(2))
    people.check(2, ["a"])

    assert before == ["号a: unreadable answer"]
    assert people.titles == ["号a: unreadable answer", "over: 号a: unreadable answer"]


AUGUST = (date(2026, 8, 3), date(2026, 8, 4))
OPEN = "SELECT kind, days FROM weixin.incident WHERE closed_at IS NULL"


def still_open(people: People) -> dict[str, list[date]]:
    """The open incidents, and the days they are about."""
    with people.warehouse.connect() as connection:
        rows = connection.execute(sqlalchemy.text(OPEN))
        return {row.kind: row.days for row in rows}


def test_trouble_with_days_is_over_when_each_of_them_is_in(people: People):
    """Not by daily runs, which ask for others; day by day, whoever brings them in."""
    unreadable = refusal("a", 0, ProblemKind.UNREADABLE, days=AUGUST, errcode=None)
    people.backfill(morning(0, 8), AUGUST, [unreadable])
    people.live_through(0, ["a"], [])
    people.live_through(1, ["a"], [])
    by_others = still_open(people)
    people.brought({"a": AUGUST[:1]}, [], morning(1, 10))
    people.live_through(2, ["a"], [])
    by_a_half = still_open(people)
    before = list(people.titles)
    people.backfill(morning(2, 10), AUGUST[1:])

    assert by_others == {"unreadable": [*AUGUST]}
    assert by_a_half == {"unreadable": [AUGUST[1]]}
    assert before == ["号a: unreadable answer"]
    assert people.titles == [*before, "over: 号a: unreadable answer"]


def test_a_backfill_that_meets_the_same_does_not_hide_the_other_days(people: People):
    """An incident is about all the days that are not in, whichever look has met them."""
    used_up = refusal("a", 0, ProblemKind.DAILY_QUOTA, errcode=45009)
    people.live_through(0, ["a"], [used_up])
    people.backfill(morning(0, 11), AUGUST, [replace(used_up, days=AUGUST)])

    assert still_open(people) == {"daily_quota": [*AUGUST, *sorted(window(0))]}
    assert len(people.titles) == 1


def test_the_same_trouble_with_other_days_is_told_as_well(people: People):
    """Else a day that nobody brings in would hide every later one."""
    unreadable = refusal("a", 0, ProblemKind.UNREADABLE, days=AUGUST, errcode=None)
    people.backfill(morning(0, 8), AUGUST, [unreadable])
    for day in (1, 2):
        people.live_through(day, ["a"], [replace(unreadable, days=window(2)[:1])])
    people.live_through(3, ["a"], [])

    late = refusal("a", 4, ProblemKind.NOT_READY, days=AUGUST, errcode=None)
    people.backfill(morning(4, 13), AUGUST, [late])
    late = replace(late, days=window(5)[-1:])
    people.ingest(5, ["a"], [late], at=morning(5, 8, 30))
    before_noon = len(people.titles)
    people.ingest(5, ["a"], [late], at=morning(5, 12, 5))

    assert people.titles[:before_noon] == [
        *["号a: unreadable answer"] * 2,
        "号a: figures not ready",
    ]
    assert people.titles[before_noon:] == ["号a: figures not ready"]
    assert "2026-08-03 to 2026-08-04, 2026-10-28" in people.got[1].body


def test_an_ingest_of_one_account_says_nothing_about_another(people: People):
    """Nor about what only the check of the whole run judges."""
    retired = refusal("b", 0, ProblemKind.ENDPOINT_OFFLINE)
    people.check(0, ["a", "b"], [refusal("a", 0), retired])
    people.ingest(1, ["b"], [])

    assert sorted(people.titles) == ["号a refused", "号b: endpoint retired"]


def test_a_retired_endpoint_is_told_as_the_page_shows_it(people: People):
    """As a warning where its successor collects the account; else its figures are missing."""
    with people.warehouse.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)"
                " VALUES ('a', '号a', 'a', now())"
            )
        )
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO weixin.collected_since VALUES ('a', :successor, now(), 60)"
            ),
            {"successor": DATASET.successor},
        )
    people.check(0, "ab", [refusal(it, 0, ProblemKind.ENDPOINT_OFFLINE) for it in "ab"])

    told = [(it.notify_type, it.title.rpartition(": 号")[2]) for it in people.got]
    assert told == [("warning", "a: endpoint retired"), ("failure", "b: endpoint retired")]


def test_a_value_that_does_not_fit_is_told_once_and_its_end_is_no_news(people: People):
    """The check finds it for as long as its day is in the window; another day is news."""
    rejected = [date(2026, 11, 3), date(2026, 11, 6)]
    for day in range(20):
        found = [it for it in rejected if it in window(day)]
        met = refusal("a", day, ProblemKind.REJECTED, days=tuple(found), subject="fits")
        people.live_through(day, ["a"], [met] if found else [])

    assert people.titles == ["号a: a value does not fit"] * 2


def test_an_account_that_falls_silent_is_told_once(people: People):
    """Neither that it is silent on another day, nor that it publishes again, is news."""
    for day in range(10):
        silent = refusal("a", day, ProblemKind.SILENT, days=window(day)[:1], subject="publishes")
        people.check(day, ["a"], [silent] if day < 8 else [])
        people.backfill(morning(day, 11), AUGUST)
        if day == 7:
            before = still_open(people).keys()

    assert people.titles == ["号a lists nothing new"]
    assert before == {"silent"}
    assert still_open(people) == {}


def test_a_rejected_value_is_told_once_and_listed_until_it_is_resolved(people: People):
    """Though no run asks for its day any more."""
    rejected = refusal("a", 0, ProblemKind.REJECTED, days=AUGUST[:1], subject="fits")
    with people.warehouse.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO weixin.rejected_row (dataset, appid, day, reason,"
                " payload, raw_response_id, rejected_at)"
                " VALUES ('article_total', 'a', '2026-08-03', 'no number', '{}', 1, now())"
            )
        )
    people.backfill(morning(0), AUGUST, [rejected])
    for day in range(3):
        people.live_through(day, ["a"], [])
    before = still_open(people)
    with people.warehouse.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE weixin.rejected_row SET resolved_at = now()"))
    people.live_through(3, ["a"], [])

    assert before == {"rejected": [AUGUST[0]]}
    assert still_open(people) == {}
    assert people.titles == ["号a: a value does not fit"]


def test_an_unknown_metric_is_told_once_ever(people: People):
    """By whichever account and run, and its end is no news."""
    for day in range(30):
        people.ingest(day, ["a"], incidents.unknown_metrics(["b_new", "a_new"]))

    assert people.titles == ["unknown metric a_new", "unknown metric b_new"]
    assert {it.notify_type for it in people.got} == {"warning"}


def test_a_hundred_thousand_unknown_metrics_are_one_incident(people: People):
    """With their count and a few names, cut; once ever, whatever they are called the next day."""
    for day in range(2):
        names = [f"{day}{number:06}{'x' * 99}" for number in range(100_003)]
        people.ingest(day, ["a"], incidents.unknown_metrics(names))

    causes = rows(people.warehouse, "SELECT cause FROM weixin.incident")
    first = [f"'{number:07}{'x' * 53}…'" for number in range(3)]
    assert causes == [
        (
            f"WeChat sends 100003 metrics that are not known here ({', '.join(first)}, …); kept in "
            "extra",
        )
    ]
    assert people.titles == ["unknown metric (many)"]


def test_days_that_are_lost_are_told_until_somebody_brings_them_in(people: People):
    """`plan` tells of them; that it does so no more is not enough."""
    lost = refusal("a", 0, ProblemKind.DAYS_LOST, days=AUGUST, errcode=None)
    for day, warnings in enumerate([[lost], [lost], []]):
        people.note(incidents.of_plan(run(day), morning(day), warnings, ["a"]))
    before = still_open(people)
    people.brought({"a": AUGUST}, [], morning(2, 10))
    people.note(incidents.of_plan(run(3), morning(3), [], ["a"]))

    assert before == {"days_lost": [*AUGUST]}
    assert people.titles == ["号a: days lost", "over: 号a: days lost"]


def test_two_runs_of_a_morning_tell_nothing_twice(people: People, warehouse: Engine):
    """Sixteen tasks at once meet the same, and end at once."""
    at_once = threading.Barrier(16)

    def meet(problems: Sequence[Problem], at: datetime) -> Callable[[], None]:
        def task() -> None:
            at_once.wait()
            people.ingest(0, ["a"], problems, at=at)

        return task

    for minute, problems in enumerate(([refusal("a", 0)], [])):
        at = morning(0, 9, minute)
        threads = [threading.Thread(target=meet(problems, at)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert people.titles == ["号a refused", "over: 号a refused"]


def test_a_task_killed_before_it_could_tell_leaves_it_to_the_next(people: People):
    """What was recorded is told by whoever looks next, of whatever dataset."""
    record(
        people.warehouse,
        incidents.of_ingest(run(0), morning(0), [refusal("a", 0)], {}, is_retried=False),
    )
    people.ingest(0, ["b"], [], at=morning(0, 9, 5))

    assert people.titles == ["号a refused"]


def test_a_killed_task_is_told_by_the_check(people: People):
    """It could not say why it failed; one that said so is not told again."""
    people.note(
        incidents.of_failed_tasks(
            run(0), morning(0), {"plan": Problem(ProblemKind.PROGRAM, "a fault", "report it")}
        )
    )
    people.note(incidents.of_failed_tasks(run(0), morning(0), {"plan": None}))
    people.note(incidents.of_failed_tasks(run(1), morning(1), {"plan": None}))
    people.note(incidents.of_plan(run(2), morning(2), [], []))
    people.note(incidents.of_failed_tasks(run(3), morning(3), {"refresh_access_token": None}))

    assert people.titles == [
        "plan: program fault",
        "over: plan: program fault",
        "refresh_access_token: program fault",
    ]
    assert people.got[0].body.startswith("report it (a fault)")
    assert people.got[1].body.startswith("the task plan works again (before: the task plan was")
    assert people.got[2].body.startswith("see the end of its log, then clear refresh_access_token")


def test_a_receiver_that_is_down_for_two_days_is_tried_by_every_look(people: People):
    """When it is back it gets what is still true, and nothing of what came and went."""
    people.is_up = False
    people.live_through(0, ["a", "b"], [refusal("a", 0), refusal("b", 0)])
    people.live_through(1, ["a", "b"], [refusal("b", 1)])
    tried = people.tried
    people.is_up = True
    people.live_through(2, ["a", "b"], [refusal("b", 2)])
    people.live_through(3, ["a", "b"], [])

    assert tried > 8
    assert people.titles == ["号b refused", "over: 号b refused"]


def test_an_incident_of_a_later_version_is_left_to_it(people: People):
    """Its kind is not known here: it is told, and nothing else is done about it."""
    with people.warehouse.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO weixin.incident (dataset, kind, appid, account, conn_id, cause, cure,"
                " days, opened_at, seen_at) VALUES ('article_total', 'unheard_of',"
                " 'a', '号a', 'a', 'it happened', 'mend it', '{}', now(), now())"
            )
        )
    people.live_through(0, ["a"], [])

    assert people.titles == ["号a: unknown problem"]
    assert still_open(people) == {"unheard_of": []}


def test_three_hundred_accounts_refused_at_once_are_few_messages(people: People):
    """A batch's are one, ten an hour, and the rest the check's; so is their recovery."""
    appids = [f"wx{number:03}" for number in range(300)]
    batches = [appids[start::32] for start in range(32)]
    for number, batch in enumerate(batches):
        met = [refusal(appid, 0) for appid in batch]
        people.ingest(0, batch, met, at=morning(0, 9, number))
    people.check(0, appids, [refusal(appid, 0) for appid in appids], at=morning(0, 9, 40))
    begun = len(people.got)
    for number, batch in enumerate(batches):
        people.ingest(1, batch, [], at=morning(1, 9, number))
    people.check(1, appids, [], at=morning(1, 9, 40))

    assert begun == 11
    assert len(people.got) == 22
    assert max(len(message.body.encode()) for message in people.got) <= 1800
    assert people.titles[10] == "200 problems"
    assert "and 1" in people.got[10].body
    with people.warehouse.connect() as connection:
        untold = "SELECT count(*) FROM weixin.incident WHERE closing_told_at IS NULL"
        assert connection.scalar(sqlalchemy.text(untold)) == 0


def test_an_account_that_is_not_collected_any_more_has_no_open_incident(people: People):
    """Somebody took it off the list: that is no recovery to tell."""
    with people.warehouse.begin() as connection:
        connection.execute(
            sqlalchemy.text(
                "INSERT INTO weixin.dim_account (appid, name, conn_id, is_active, first_seen_at)"
                " VALUES ('a', '号a', 'a', FALSE, now())"
            )
        )
    people.check(0, ["a"], [refusal("a", 0)])
    people.check(1, ["b"], [])

    assert people.titles == ["号a refused"]
    with people.warehouse.connect() as connection:
        is_open = "SELECT count(*) FROM weixin.incident WHERE closed_at IS NULL"
        assert connection.scalar(sqlalchemy.text(is_open)) == 0


def test_a_run_that_was_late_is_over_when_it_ends_itself(people: People):
    """Also after midnight, when it is no daily run any more; another run of that night does not."""
    late = Problem(ProblemKind.RUN_LATE, "not ended", "look")
    people.note(Look(run(0), morning(0, 12, 30), problems=[late]))
    another = replace(run(0, is_scheduled=False), run_id="another")
    people.note(incidents.of_check(another, morning(1, 0, 20), [], {"a": window(0)}))
    before = [*people.titles]
    people.note(incidents.of_check(run(0), morning(1, 0, 30), [], {"a": window(0)}))

    assert before == ["the daily run is late"]
    assert people.titles == ["the daily run is late", "over: the daily run is late"]


def test_a_form_filled_in_wrongly_is_for_the_person_who_did(people: People):
    """A misspelt parameter's name as well; a Variable that is wrong is everybody's."""
    wrong = Problem(ProblemKind.PARAMETER, "begin_dat is no parameter", "")
    manual = run(0, is_scheduled=False)
    people.note(incidents.of_failed_tasks(manual, morning(0), {"plan": wrong}))
    before = list(people.titles)
    people.note(incidents.of_failed_tasks(run(0), morning(0), {"plan": wrong}))

    assert before == []
    assert people.titles == ["plan: wrong parameter"]
