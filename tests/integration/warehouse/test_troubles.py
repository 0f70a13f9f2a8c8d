"""What is wrong is a list, and people are told when something of it begins and is over."""

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine
from support import rows

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.health import incidents, status
from weixin_etl.health.at_work import Airflow, Asleep, DagState, EndedRun
from weixin_etl.health.messages import Installation, Message, tell
from weixin_etl.health.note import Note, record
from weixin_etl.health.status import Status
from weixin_etl.health.troubles import Severity
from weixin_etl.model import Run
from weixin_etl.problem import Problem, ProblemKind

DATASET, DETAIL = DATASETS["article_total"], DATASETS["article_total_detail"]
DAY, FIRST = timedelta(days=1), date(2026, 11, 9)
HERE = Installation("http://airflow.example/weixin/", "production")
REFUSED, REFUSED_SO = ProblemKind.CONFIGURATION, {"error_code": 40125, "error": "wrong secret"}
DOWN = ProblemKind.UNREACHABLE
COVERED = """
    INSERT INTO weixin.coverage (
        appid, dataset, day, settled, ready_at, list_sha256, article_count, attempted_at,
        error_kind, error_code, error, cure
    )
    VALUES (
        :appid, :dataset, :day, :settled, :ready_at, '\\x01', 1, :at, :kind, :error_code, :error,
        :cure
    )
    ON CONFLICT (appid, dataset, day) DO UPDATE SET
        settled = coalesce(excluded.settled, coverage.settled),
        ready_at = coalesce(excluded.ready_at, coverage.ready_at),
        attempted_at = excluded.attempted_at,
        error_kind = excluded.error_kind,
        error_code = excluded.error_code,
        error = excluded.error,
        cure = excluded.cure
"""
REPORTED = """
    INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at, attempted_at)
    VALUES (:run_id, :dataset, :appid, :day, :planned_at, :at)
    ON CONFLICT (run_id, dataset, appid, day) DO UPDATE SET attempted_at = excluded.attempted_at
"""


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time in Beijing, so many days after the first."""
    return datetime(FIRST.year, FIRST.month, FIRST.day, hour, minute, tzinfo=clock.SHANGHAI) + (
        DAY * day
    )


def asked(day: int) -> list[date]:
    """What the daily run of that day asks for: nothing is final."""
    return [FIRST + DAY * age for age in range(-7, day)]


def run(day: int, **changed: Any) -> Run:
    """The daily run of that day."""
    today = FIRST + DAY * day
    return Run(f"scheduled__{today}", DATASET, today, **{"is_scheduled": True, **changed})


@dataclass
class People:
    """Those who are told, and what runs do that they are told of."""

    warehouse: Engine
    got: list[Message] = field(default_factory=list)
    is_up: bool = True

    @property
    def titles(self) -> list[str]:
        """What they were told."""
        return [message.title.removeprefix("weixin-etl production: ") for message in self.got]

    def send(self, message: Message) -> bool:
        """Deliver it, if anything takes it."""
        self.got += [message] if self.is_up else []
        return self.is_up

    def execute(self, sql: str, values: Any = None) -> None:
        """Do it, and keep it."""
        with self.warehouse.begin() as connection:
            connection.execute(sqlalchemy.text(sql), values or {})

    def collect(self, *appids: str, dataset: str = DATASET.name) -> None:
        """Let daily runs bring accounts in from the first day's window on, which is known."""
        account = {"conn_id": "c", "since": FIRST - DAY * 7, "at": at(0), "dataset": dataset}
        for appid in appids:
            values = {**account, "appid": appid, "name": f"号{appid}"}
            self.execute(
                "INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at) "
                "VALUES (:appid, :name, :appid, :at) ON CONFLICT DO NOTHING",
                values,
            )
            self.execute(
                "INSERT INTO weixin.collected_since VALUES (:appid, :dataset, :since, 60)", values
            )

    def attempt(
        self,
        appids: Iterable[str],
        days: Sequence[date],
        when: datetime,
        kind: str | None = None,
        run_id: str = "",
        **of: Any,
    ) -> None:
        """How attempts for some days ended: ready, or as the kind says."""
        values = {"error_code": None, "error": kind, "cure": None, "settled": None, **of}
        pairs = [
            {
                **{"appid": appid, "dataset": DATASET.name, "day": day, "at": when, "kind": kind},
                **{"ready_at": None if kind else when, "run_id": run_id},
                "planned_at": when - timedelta(seconds=1),
                **values,
            }
            for appid in appids
            for day in days
        ]
        self.execute(COVERED, pairs)
        if run_id:
            self.execute(REPORTED, pairs)

    def note(self, note: Note, *, is_last: bool = False) -> None:
        """What a task does when it ends."""
        record(self.warehouse, note)
        self.tell(note.at, is_last=is_last)

    def tell(self, when: datetime, *, is_last: bool = False) -> None:
        """Tell what nobody was told of yet."""
        tell(self.warehouse, lambda: self.send, now=when, here=HERE, may_wait=not is_last)

    def ingest(
        self,
        day: int,
        came: Mapping[str, Mapping[str, Any] | None],
        *,
        when: datetime | None = None,
        is_at_work: bool = False,
    ) -> None:
        """A try of a batch ends: how each account's window was answered."""
        now, of_day = when or at(day), run(day)
        for appid, how in came.items():
            before = now - timedelta(seconds=1)
            self.attempt([appid], asked(day), before, run_id=of_day.run_id, **(how or {}))
        self.note(Note(of_day, now, {"ingest": []}, [*came], True, is_at_work=is_at_work))

    def check(
        self,
        day: int,
        found: Mapping[str, Sequence[Problem]] | None = None,
        *,
        when: datetime | None = None,
    ) -> None:
        """The run ends."""
        found = {"check": [], "report": [], **(found or {})}
        note = Note(run(day), when or at(day, 9, 30), found, is_judged=True)
        self.note(note, is_last=True)

    def morning(self, day: int, came: Mapping[str, Mapping[str, Any] | None]) -> None:
        """A whole run."""
        self.ingest(day, came)
        self.check(day)

    def now(self, day: int, hour: int = 10, airflow: Airflow | None = None) -> Status:
        """What the page and `weixin-etl status` say."""
        with self.warehouse.connect() as connection:
            return status.read(connection, airflow, now=at(day, hour), datasets=[DATASET])

    def wrong(self, *when: Any) -> list[tuple[str, str, int]]:
        """What is wrong: kind, how bad, and how many days are not in because of it."""
        found = self.now(*when).open
        return [(str(it.problem.kind), str(it.severity), len(it.problem.days)) for it in found]


@pytest.fixture
def people(warehouse: Engine) -> People:
    """Two accounts whose figures are in on the first morning."""
    people = People(warehouse)
    people.collect("a", "b")
    people.morning(0, {"a": None, "b": None})
    return people


SECRET = {"kind": REFUSED, **REFUSED_SO, "cure": "correct the password"}
OFF = {"kind": DOWN, "error": "connection refused", "cure": "wait"}
LATE = {"kind": "not_ready", "error": "no article has yesterday's row"}


@pytest.mark.every_postgres
def test_an_account_refused_for_three_days_is_two_messages(people: People) -> None:
    """One day is missing on the first morning; it is over once it is answered."""
    people.morning(1, {"a": SECRET, "b": None})
    first_morning = people.wrong(1)
    for day in (2, 3):
        people.morning(day, {"a": SECRET, "b": None})
    people.morning(4, {"a": None, "b": None})

    assert first_morning == [("configuration", "failure", 1)]
    assert people.titles == ["号a refused", "over: 号a refused"]
    assert people.got[0].body.startswith("article_total: 号a: correct the password (wrong secret)")
    assert people.wrong(4) == []


def test_the_loader_may_write_it_and_the_reader_read_it(
    people: People, loader: Engine, reader: Engine
) -> None:
    """With no more than their roles allow."""
    owner, people.warehouse = people.warehouse, loader
    people.note(Note(run(1), at(1), {"plan": []}))
    people.warehouse = owner
    people.attempt(["a"], asked(1), at(1), **SECRET)
    people.warehouse = loader
    people.check(1, {"check": [Problem(ProblemKind.SILENT, "", "", "号b", "b")]})
    people.check(1)
    people.warehouse = reader

    assert people.wrong(1) == [("configuration", "failure", 1)]
    assert people.titles == ["号a refused, and 1 more"]


def test_nothing_is_green_or_told_while_it_is_tried_again(people: People) -> None:
    """The last try tells, of all accounts in one message; the first that succeeds ends it."""
    airflow = Airflow({DATASET.name: DagState()}, runs={DATASET.name: [run(1).run_id]})
    people.ingest(1, {"a": OFF, "b": OFF}, is_at_work=True)
    meanwhile = people.now(1, 9, airflow)
    silent = list(people.titles)
    people.morning(1, {"a": OFF, "b": OFF})
    people.morning(2, {"a": None, "b": None})

    assert [it.severity for it in meanwhile.open] == [Severity.RETRYING]
    assert (meanwhile.is_healthy, meanwhile.is_retrying) == (False, True)
    assert silent == []
    assert people.titles == ["号a and 1 more unreachable", "over: 号a and 1 more unreachable"]


def test_a_refusal_is_told_though_another_account_is_tried_again(people: People) -> None:
    """A person can begin to mend it."""
    people.ingest(1, {"a": SECRET, "b": OFF}, is_at_work=True)

    assert people.titles == ["号a refused"]


def test_another_thing_to_mend_is_told_again(people: People) -> None:
    """It is the same incident, and its end is told once."""
    people.morning(1, {"a": SECRET, "b": None})
    people.morning(2, {"a": {**SECRET, "error_code": 40164}, "b": None})
    people.morning(3, {"a": {**SECRET, "error_code": 40164}, "b": None})
    people.morning(4, {"a": None, "b": None})

    assert people.titles == ["号a refused"] * 2 + ["over: 号a refused"]


def test_no_answer_does_not_say_that_a_refusal_is_over(people: People) -> None:
    """Nor does an answer to another account."""
    people.morning(1, {"a": SECRET, "b": None})
    people.morning(2, {"a": OFF, "b": None})
    people.morning(3, {"a": SECRET, "b": None})
    people.morning(4, {"a": None, "b": None})

    assert people.titles == [
        *("号a refused", "号a unreachable", "over: 号a unreachable", "over: 号a refused")
    ]


def test_what_was_mended_is_only_asked_for_again(people: People) -> None:
    """Nobody is told to mend it once more, before the next run asks for the other days."""
    people.morning(1, {"a": SECRET, "b": None})
    people.attempt(["a"], asked(1)[:3], at(1, 11))
    found = people.now(1, 13).open

    assert [it.problem.kind for it in found] == [ProblemKind.NOT_ASKED]
    assert [it.problem.cure for it in found] == ["the next daily run asks again"]


def test_figures_that_are_not_ready_are_told_at_noon_only(people: People) -> None:
    """Of all accounts in one message; and are over when they are there."""
    people.ingest(1, {"a": LATE, "b": LATE}, is_at_work=True)
    people.check(1)
    before_noon = people.titles, people.wrong(1)
    people.ingest(1, {"a": LATE, "b": LATE}, when=at(1, 12))
    people.check(1, when=at(1, 12, 1))
    people.morning(2, {"a": None, "b": None})

    assert before_noon == ([], [])
    assert people.titles == [
        *("号a and 1 more: figures not ready", "over: 号a and 1 more: figures not ready")
    ]


def test_a_retired_endpoint_is_a_warning_where_its_successor_collects(people: People) -> None:
    """Else somebody has to act; whatever the days, it is one trouble."""
    offline = {"kind": ProblemKind.ENDPOINT_OFFLINE, "error_code": 47009, "error": "offline"}
    people.morning(1, {"a": offline, "b": offline})
    alone = people.wrong(1, 13)
    people.collect("a", "b", dataset=DETAIL.name)

    assert alone == [("endpoint_offline", "failure", 0)]
    assert people.wrong(1, 13) == [("endpoint_offline", "warning", 0)]
    assert people.titles == ["号a and 1 more: endpoint retired"]


def test_a_rejected_value_is_listed_until_it_is_resolved(people: People) -> None:
    """It is told once, and its end is no news."""
    people.execute(
        "INSERT INTO weixin.raw_response (dataset, appid, day, body, body_sha256, fetched_at, "
        "last_seen_at) VALUES ('article_total', 'a', :day, '', '', now(), now())",
        {"day": FIRST},
    )
    people.execute(
        "INSERT INTO weixin.rejected_row (dataset, appid, day, reason, payload, raw_response_id, "
        "rejected_at) SELECT 'article_total', 'a', day, 'no number', '', raw_response_id, now() "
        "FROM weixin.raw_response",
    )
    people.check(1)
    listed = people.wrong(1)
    people.check(2)
    people.execute("UPDATE weixin.rejected_row SET resolved_at = now()")
    people.check(3)

    assert ("rejected", "warning", 1) in listed
    assert ("rejected", "warning", 1) not in people.wrong(3)
    assert [it for it in people.titles if "does not fit" in it] == ["号a: a value does not fit"]


def test_days_that_are_lost_are_listed_until_somebody_brings_them_in(people: People) -> None:
    """With the dates to enter; so are days of which the answer can't be read."""
    people.execute("UPDATE weixin.collected_since SET catch_up_days = 0")
    people.attempt("ab", [FIRST + DAY * age for age in range(-7, 9) if age not in (0, 1)], at(9))
    listed = people.now(9, 10)
    lost = [it for it in listed.open if it.problem.kind is ProblemKind.DAYS_LOST]
    people.attempt(["a", "b"], [FIRST, FIRST + DAY], at(9, 11))
    people.attempt(["a"], [FIRST + DAY], at(9, 11), "unreadable", settled="given_up")

    assert listed.is_healthy
    assert [it.problem.cure for it in lost] == [
        "trigger weixin_article_total with begin_date 2026-11-09 and end_date 2026-11-10"
    ] * 2
    assert people.wrong(9) == [("unreadable", "warning", 1)]


def test_days_that_nobody_asked_for(people: People) -> None:
    """Before noon a run may ask for them, and so may one at work; a paused DAG is a decision."""
    at_work = Airflow({DATASET.name: DagState()}, runs={DATASET.name: [run(1).run_id]})
    paused = Airflow({DATASET.name: DagState(is_paused=True)})
    by_noon, at_noon = people.wrong(1, 11), people.wrong(1, 13)
    when_paused = people.now(1, 13, paused)
    people.ingest(1, {"a": LATE, "b": LATE}, when=at(1, 12, 30), is_at_work=True)

    assert (by_noon, at_noon) == ([], [("not_asked", "failure", 1)])
    assert [it.severity for it in when_paused.open] == [Severity.NOTE]
    assert when_paused.is_healthy
    assert people.wrong(1, 13, at_work) == [("not_ready", "retrying", 1)]


def test_what_stops_all_speaks_for_days_that_nobody_asked_for(people: People) -> None:
    """A task that failed, or was killed, or a scheduler that does not run, is why."""
    down = Airflow({DATASET.name: DagState()}, is_scheduler_alive=False)
    killed = Problem(ProblemKind.PROGRAM, "killed", "clear plan", subject="plan")
    without = [it.problem.kind for it in people.now(1, 13, down).open]
    people.check(1, {"plan": [killed]}, when=at(1, 13))
    listed = people.wrong(1, 13)
    people.note(Note(run(2), at(2), {"plan": []}))
    people.morning(2, {"a": None, "b": None})

    assert without == [ProblemKind.SCHEDULER_DOWN]
    assert listed == [("program", "failure", 0)]
    assert people.titles == ["plan: program fault", "over: plan: program fault"]


def test_a_connection_without_an_account(people: People) -> None:
    """It is told before anything is asked, and is over when a whole run ends without it."""
    missing = Problem(REFUSED, "there is no such connection", "create it", conn_id="spring")
    people.note(Note(run(1), at(1), {"refresh_access_token": [missing]}))
    begun = list(people.titles)
    people.morning(1, {"a": None, "b": None})
    people.note(Note(run(2, accounts=("a",)), at(2), {"refresh_access_token": []}, looked=["a"]))
    others = people.wrong(2)
    people.note(Note(run(2), at(2, 9), {"refresh_access_token": []}))
    people.morning(2, {"a": None, "b": None})

    assert begun == ["spring refused"]
    assert others == [("configuration", "failure", 0)]
    assert people.titles == ["spring refused", "over: spring refused"]


def test_a_run_that_is_late(people: People) -> None:
    """It is over when a daily run ends."""
    late = Problem(ProblemKind.RUN_LATE, "the daily run has not ended in time", "find out why")
    people.note(Note(run(1), at(1, 12), {"deadline": [late]}), is_last=True)
    people.ingest(1, {"a": None, "b": None}, when=at(1, 12, 29))
    people.check(1, {"deadline": []}, when=at(1, 12, 30))

    assert people.titles == ["the daily run is late", "over: the daily run is late"]


def test_an_unknown_metric_is_told_once_ever(people: People) -> None:
    """However many there are."""
    for day, names in enumerate([{"new"}, {"new"}, {*map(str, range(10**5))}], start=1):
        once = incidents.unknown_metrics(names)
        people.note(Note(run(day), at(day), is_judged=True, once=once), is_last=True)

    assert [it for it in people.titles if "metric" in it] == [
        *("unknown metric new", "unknown metric (many)")
    ]


def test_an_account_that_is_not_collected_any_more(people: People) -> None:
    """Nobody is told that its trouble is over: it is not."""
    people.morning(1, {"a": SECRET, "b": None})
    people.execute("UPDATE weixin.dim_account SET is_active = FALSE WHERE appid = 'a'")
    people.morning(2, {"b": None})

    assert people.titles == ["号a refused"]
    assert people.wrong(2) == []


def test_what_no_receiver_took_is_told_later(people: People) -> None:
    """The task that was killed before it told, too; what is over meanwhile is not told."""
    people.is_up = False
    people.morning(1, {"a": SECRET, "b": {**SECRET, "error": "also"}})
    airflow = Airflow({DATASET.name: DagState()}, alerts="weixin_alerts")
    undelivered = people.now(1, 12, airflow).open
    people.ingest(2, {"b": None})
    people.is_up = True
    people.check(2)

    assert "2 messages about incidents could not be delivered" in [
        it.problem.cause for it in undelivered
    ]
    assert people.titles == ["号a refused"]


def test_an_end_that_nobody_got_in_days_is_no_problem_any_more(people: People) -> None:
    """It is not told any more, either."""
    people.morning(1, {"a": SECRET, "b": None})
    people.is_up = False
    people.morning(2, {"a": None, "b": None})
    airflow = Airflow({DATASET.name: DagState()}, alerts="weixin_alerts")
    before = [it.problem.cause for it in people.now(2, 12, airflow).open]
    for day in (3, 4, 5, 6):
        people.morning(day, {"a": None, "b": None})

    assert before == ["1 message about incidents could not be delivered"]
    assert people.now(6, 12, airflow).open == ()


def test_two_runs_at_once_tell_nothing_twice(people: People) -> None:
    """Nor does a later one."""
    people.attempt(["a"], asked(1), at(1), **SECRET)
    note = Note(run(1), at(1, 9, 30), is_judged=True)
    threads = [threading.Thread(target=people.note, args=(note,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert people.titles == ["号a refused"]


def test_three_hundred_accounts_refused_at_once_are_few_messages(people: People) -> None:
    """The page has a card for each."""
    appids = [f"x{number}" for number in range(300)]
    people.collect(*appids)
    people.morning(1, {"a": None, "b": None, **dict.fromkeys(appids, SECRET)})

    assert people.titles == ["号x0 refused, and 299 more"]
    assert len(people.wrong(1)) == 300


def test_a_refused_day_that_has_figures_is_told(people: People) -> None:
    """The run is red for it, as long as WeChat refuses, though there is something to look at."""
    people.morning(1, {"a": None, "b": None})
    people.attempt(["a"], asked(0)[:1], at(1, 9), ProblemKind.CALL_REFUSED, error_code=61500)
    people.check(1)

    assert people.titles == ["号a refused"]


def test_what_a_red_run_lacks_is_told_whatever_the_day(people: People) -> None:
    """A final day asked for again, or an account that no daily run has: its check names them."""
    people.execute("UPDATE weixin.coverage SET settled = 'final'")
    final = Problem(ProblemKind.HELD_BACK, "held back", "lower it", "号a", "a", days=(FIRST - DAY,))
    new = Problem(ProblemKind.PROGRAM, "KeyError", "report it", "号n", "n", days=(FIRST - DAY,))
    manual = run(0, names_dates=True, is_scheduled=False)
    people.note(Note(manual, at(0, 10), {"check": [final, new]}, ["a", "n"], is_judged=True))
    people.tell(at(0, 11), is_last=True)

    assert people.titles == ["号n: program fault, and 1 more"]
    people.attempt(["a", "n"], [FIRST - DAY], at(0, 12))
    assert people.wrong(0, 12) == []


def test_a_warning_hides_no_failure(people: People) -> None:
    """Of another account, or of its own: it is told, though the warning is listed for ever."""
    unreadable = {"kind": "unreadable", "error": "no JSON"}
    people.attempt(["a"], asked(0)[:1], at(0, 10), settled="given_up", **unreadable)
    people.check(0, when=at(0, 10, 1))
    people.morning(1, {"a": None, "b": unreadable})

    assert people.titles == ["号a: unreadable answer", "号b: unreadable answer"]


def test_late_figures_that_a_run_waits_for_again_are_not_over(people: People) -> None:
    """The next morning's first try finds them late still."""
    people.ingest(1, {"a": LATE, "b": LATE}, when=at(1, 12))
    people.check(1, when=at(1, 12, 1))
    people.ingest(2, {"a": LATE, "b": LATE}, when=at(2, 8, 31), is_at_work=True)

    assert people.titles == ["号a and 1 more: figures not ready"]


def test_a_batch_says_nothing_about_what_others_have_in_common(people: People) -> None:
    """Only the check of a daily run does; nor does a batch end what another batch has found."""
    crashed = Problem(ProblemKind.PROGRAM, "KeyError", "report it", subject="ingest")
    people.ingest(1, {"a": OFF, "b": OFF})
    people.note(Note(run(1), at(1), {"ingest": [crashed]}, looked=()))
    people.ingest(1, {"b": None}, when=at(1, 10))
    people.note(Note(run(1), at(1, 10), {}, ["b"], is_judged=True), is_last=True)

    assert people.titles == ["号a and 1 more unreachable", "ingest: program fault"]


def test_what_is_answered_in_the_same_moment_hides_no_cause(people: People) -> None:
    """Calls in flight are answered after the refusal that stops their account."""
    people.attempt(["a"], asked(1)[:-1], at(1), **SECRET)
    people.attempt(["a"], asked(1)[-1:], at(1) + timedelta(seconds=1))

    assert people.wrong(1)[0][0] == "configuration"


@pytest.mark.parametrize("seed", range(12))
def test_page_and_messages_have_one_list(people: People, seed: int) -> None:
    """Whatever happens: what is open is what is wrong, and each has one begin and one end."""
    chance = random.Random(seed)  # no secret
    ways = [None, None, SECRET, OFF, LATE, {**SECRET, "error_code": 48001}]
    for day in range(1, 15):
        came = {appid: chance.choice(ways) for appid in "ab" if chance.random() < 0.9}
        for number in range(chance.randint(0, 2)):
            people.ingest(day, came, when=at(day, 8 + number), is_at_work=True)
        people.ingest(day, came)
        hour = chance.choice([10, 13])
        people.check(day, when=at(day, hour))
        open_now = "SELECT identity FROM weixin.incident WHERE closed_at IS NULL ORDER BY 1"
        told = {it for (it,) in rows(people.warehouse, open_now)}
        listed = {it.identity for it in people.now(day, hour).open}

        assert listed <= told
        hidden = told - listed
        assert not hidden or DOWN in listed or ProblemKind.NOT_ASKED in listed
    for day in (15, 16):
        people.morning(day, {"a": None, "b": None})
        people.attempt("ab", asked(day), at(day, 11))
        people.check(day, when=at(day, 13))

    assert people.wrong(16, 13) == []
    unended = "SELECT identity FROM weixin.incident WHERE closed_at IS NULL OR told_at IS NULL"
    assert rows(people.warehouse, unended) == []


TRIED = {"failed_tries": 2, "tries": 4, "since": at(1, 8, 31)}


def test_what_is_tried_again_says_which_try_comes_next(people: People) -> None:
    """Since the first try failed, whether WeChat or a task's own work did."""
    run_id = run(1).run_id
    fault = Problem(ProblemKind.PROGRAM, "KeyError", "report it", subject="plan")
    asleep = Asleep(DATASET.name, run_id, at(1, 9, 5), **TRIED, problem=fault)
    airflow = Airflow({DATASET.name: DagState()}, runs={DATASET.name: [run_id]}, asleep=(asleep,))
    (of_task,) = people.now(1, 9, airflow).open
    people.ingest(1, {"a": OFF, "b": OFF}, is_at_work=True)
    (of_accounts,) = people.now(1, 9, airflow).open

    for found, kind in ((of_task, "program"), (of_accounts, "unreachable")):
        assert (found.problem.kind, found.severity) == (kind, Severity.RETRYING)
        assert (found.tried, found.opened_at) == (asleep, at(1, 8, 31))


def test_a_run_that_waits_says_when_it_asks_again(people: People) -> None:
    """Nothing is wrong before noon."""
    run_id = run(1).run_id
    waits = Asleep(DATASET.name, run_id, at(1, 9))
    airflow = Airflow({DATASET.name: DagState()}, runs={DATASET.name: [run_id]}, asleep=(waits,))
    people.ingest(1, {"a": LATE, "b": LATE}, when=at(1, 8, 31), is_at_work=True)

    found = people.now(1, 9, airflow)

    assert [it.again_at for it in found.runs] == [at(1, 9)]
    assert found.is_healthy


def last(day: int, **changed: Any) -> dict[str, DagState]:
    """The DAG, whose last run failed."""
    how = {"is_red": True, "is_by_hand": False, "is_judged": True, **changed}
    is_paused = how.pop("is_paused", False)
    return {DATASET.name: DagState(is_paused, last=EndedRun("r", at(day, 8), at(day, 9), **how))}


def test_a_run_without_its_check_is_told_and_so_is_its_end(people: People) -> None:
    """Whoever ended it; the page shows the same. One that its check has judged is not told so."""
    airflow = Airflow(last(1, is_judged=False))
    judged = people.wrong(1, 10, Airflow(last(1)))
    listed = people.wrong(1, 10, airflow)
    people.note(Note(run(1), at(1, 9), is_judged=True, airflow=airflow), is_last=True)
    people.note(Note(run(1), at(1, 9), is_judged=True, airflow=airflow), is_last=True)
    people.morning(2, {"a": None, "b": None})

    assert (judged, listed) == ([], [("run_ended", "failure", 0)])
    assert people.titles == ["a run ended early", "over: a run ended early"]


def test_a_run_by_hand_in_a_paused_dag_is_shown_if_it_fails(people: People) -> None:
    """What was refused before the pause is not."""
    people.morning(1, {"a": SECRET, "b": None})
    paused, by_hand = (Airflow(last(2, is_paused=True, is_by_hand=it)) for it in (False, True))
    of_yesterday = people.wrong(2, 10, by_hand)
    people.attempt(["b"], asked(1), at(2), **SECRET)
    note = [("no_runs", "note", 0)]

    assert (people.wrong(2, 10, paused), of_yesterday) == (note, note)
    assert people.wrong(2, 10, by_hand) == [("configuration", "failure", 8), *note]


def test_a_dag_that_the_file_leaves_out_is_a_decision(people: People) -> None:
    """As long as Airflow knows another one of it."""
    assert people.wrong(1, 13, Airflow({DETAIL.name: DagState()})) == [("no_runs", "note", 0)]


def test_an_endpoint_that_is_back_is_only_asked_for_again(people: People) -> None:
    """One day was asked to find out; the next run asks for the others."""
    offline = {"kind": ProblemKind.ENDPOINT_OFFLINE, "error_code": 47009, "error": "offline"}
    people.morning(1, {"a": offline, "b": offline})
    people.attempt(["a", "b"], [FIRST + DAY], at(2))

    assert people.wrong(2) == [("not_asked", "retrying", 1)]


def test_a_final_day_that_could_not_be_asked_again_is_not_mended_by_the_next_run(
    people: People,
) -> None:
    """Its run was red, and that was told: it is not told that the day is in."""
    days, so = [FIRST - DAY], {"error_code": 61500, "error": "no"}
    refused = Problem(ProblemKind.CALL_REFUSED, "no", "", "号a", "a", days=tuple(days))
    people.morning(1, {"a": None, "b": None})
    people.attempt(["a"], days, at(1, 9), settled="final")
    people.attempt(["a"], days, at(1, 10), ProblemKind.CALL_REFUSED, **so)
    manual = run(1, names_dates=True, is_scheduled=False)
    note = Note(manual, at(1, 10), {"check": [refused]}, ["a"], is_judged=True)
    people.note(note, is_last=True)
    people.attempt(["a", "b"], [day for day in asked(2) if day not in days], at(2))
    people.check(2)

    assert people.titles == ["号a refused"]
    assert people.wrong(2) == []


def test_what_keeps_runs_from_being_made(people: People) -> None:
    """No DAG, or a run that was not made: the worst first."""
    overdue = Airflow({DATASET.name: DagState(next_run_at=at(1, 8, 30))})

    assert people.wrong(1, 10, Airflow({})) == [("no_runs", "failure", 0)]
    assert people.wrong(1, 10, overdue) == [("run_missing", "failure", 0)]


def test_that_no_account_is_collected_is_said(warehouse: Engine) -> None:
    """With what to do first: nothing, if the first daily run is still to come today."""
    people = People(warehouse)
    early = Airflow({DATASET.name: DagState(next_run_at=at(0, 8, 30))})
    waits = people.now(0, 7, early)
    awake, paused = Airflow({DATASET.name: DagState()}), Airflow({DATASET.name: DagState(True)})

    (trigger,), (create,) = people.now(0, 10, awake).open, people.now(0, 10, paused).open
    assert trigger.problem.kind is ProblemKind.NOTHING_COLLECTED
    assert create.problem.kind is ProblemKind.NOTHING_COLLECTED
    assert [(it.problem.kind, it.problem.cause) for it in waits.open] == [
        (ProblemKind.FIRST_RUN, "the first daily run is today at 08:30 Beijing time")
    ]
    assert waits.is_healthy
