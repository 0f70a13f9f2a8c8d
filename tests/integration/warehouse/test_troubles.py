"""What is wrong is a list, and people are told when something of it begins and is over."""

import random
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy
from sqlalchemy import Engine
from support import rows

from weixin_etl import clock
from weixin_etl.datasets import DATASETS
from weixin_etl.health import status
from weixin_etl.health.incidents import Note, record
from weixin_etl.health.messages import Installation, Message, tell
from weixin_etl.health.status import Status
from weixin_etl.health.troubles import Airflow, DagState, Severity, Trouble
from weixin_etl.model import Run
from weixin_etl.problem import Problem, ProblemKind

DATASET, DETAIL = DATASETS["article_total"], DATASETS["article_total_detail"]
DAY, FIRST = timedelta(days=1), date(2026, 11, 9)
HERE = Installation("http://airflow.example/weixin/")
COLLECT = """
    INSERT INTO weixin.dim_account (appid, name, conn_id, first_seen_at)
    VALUES (:appid, :name, :appid, now()) ON CONFLICT DO NOTHING;
    INSERT INTO weixin.collected_since VALUES (:appid, :dataset, :since, 60)
"""
ATTEMPT = """
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
        cure = excluded.cure;
    INSERT INTO weixin.run_report (run_id, dataset, appid, day, planned_at, attempted_at)
    VALUES (:run_id, :dataset, :appid, :day, cast(:at AS timestamptz) - interval '1 second', :at)
    ON CONFLICT (run_id, dataset, appid, day) DO UPDATE SET attempted_at = excluded.attempted_at
"""
REJECTED = """
    INSERT INTO weixin.raw_response (
        dataset, appid, day, body, body_sha256, fetched_at, last_seen_at
    )
    VALUES ('article_total', 'a', '2026-11-09', '', '', now(), now());
    INSERT INTO weixin.rejected_row (
        dataset, appid, day, reason, payload, raw_response_id, rejected_at
    )
    SELECT dataset, appid, day, 'no number', '', raw_response_id, now() FROM weixin.raw_response
"""
SECRET = {"kind": "configuration", "error_code": 40125, "error": "wrong secret", "cure": "mend it"}
ADDRESS = {**SECRET, "error_code": 40164}
OFF = {"kind": "unreachable", "error": "connection refused", "cure": "wait"}
OFFLINE = {"kind": "endpoint_offline", "error_code": 47009, "error": "offline"}
LATE = {"kind": "not_ready", "error": "no article has yesterday's row"}
UNREADABLE = {"kind": "unreadable", "error": "no JSON"}
AWAKE = Airflow({DATASET.name: DagState()})
ENDED = Problem.of_kind(ProblemKind.RUN_ENDED, subject="r")
Came = Mapping[str, Any]


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """A time in Beijing, so many days after the first."""
    begin = datetime.combine(FIRST, datetime.min.time(), clock.SHANGHAI)
    return begin + timedelta(days=day, hours=hour, minutes=minute)


def asked(day: int) -> list[date]:
    """What the daily run of that day asks for: nothing is final."""
    return [FIRST + DAY * age for age in range(-7, day)]


def run(day: int, **changed: Any) -> Run:
    """The daily run of that day."""
    today = FIRST + DAY * day
    return Run(f"scheduled__{today}", DATASET, today, **{"is_scheduled": True, **changed})


def working(**changed: Any) -> Airflow:
    """Airflow while the run of the second day is at work."""
    return replace(AWAKE, runs={DATASET.name: [run(1).run_id]}, **changed)


@dataclass
class People:
    """Those who are told, and what runs do that they are told of."""

    warehouse: Engine
    got: list[Message] = field(default_factory=list)
    is_up: bool = True

    @property
    def titles(self) -> list[str]:
        """What they were told."""
        return [message.title.removeprefix("weixin-etl: ") for message in self.got]

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
        of = {"since": FIRST - DAY * 7, "dataset": dataset}
        self.execute(COLLECT, [{**of, "appid": appid, "name": f"号{appid}"} for appid in appids])

    def attempt(
        self, appids: Iterable[str], days: Sequence[date], when: datetime, **how: Any
    ) -> None:
        """How attempts for some days ended: ready, or as the kind says."""
        usual = {"kind": None, "error_code": None, "error": None, "cure": None, "settled": None}
        values = {**usual, "run_id": "", **how, "dataset": DATASET.name, "at": when}
        values["ready_at"] = None if values["kind"] else when
        pairs = [{**values, "appid": appid, "day": day} for appid in appids for day in days]
        for statement in ATTEMPT.split(";"):
            self.execute(statement, pairs)

    def note(self, note: Note, *, is_last: bool = False) -> None:
        """What a task does when it ends."""
        record(self.warehouse, note)
        tell(self.warehouse, lambda: self.send, now=note.at, here=HERE, may_wait=not is_last)

    def ingest(self, day: int, came: Came, *, hour: float = 9, is_at_work: bool = False) -> None:
        """A try of a batch ends: how each account's window was answered; None is well."""
        now, of_day = at(day) + timedelta(hours=hour - 9), run(day)
        for appid, how in came.items():
            before = now - timedelta(seconds=1)
            self.attempt([appid], asked(day), before, run_id=of_day.run_id, **(how or {}))
        self.note(Note(of_day, now, {"ingest": []}, [*came], True, is_at_work=is_at_work))

    def check(self, day: int, hour: float = 9.5, **found: Sequence[Problem]) -> None:
        """The run ends."""
        when = at(day) + timedelta(hours=hour - 9)
        found = {"check": [], "report": [], "deadline": [], "run": [], **found}
        self.note(Note(run(day), when, found, is_judged=True), is_last=True)

    def morning(self, day: int, **came: Any) -> None:
        """A whole run; accounts that are not named are answered well."""
        self.ingest(day, {"a": None, "b": None, **came})
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
    people.morning(0)
    return people


# ------------------------------------------------------------------------------- who is told what


@pytest.mark.every_postgres
@pytest.mark.parametrize(
    ("mornings", "wrong", "told"),
    [
        pytest.param(
            [{"a": SECRET}] * 3, [("configuration", "failure", 3)], ["号a refused"], id="once"
        ),
        pytest.param(
            [{"a": SECRET}, {"a": ADDRESS}, {"a": ADDRESS}, {}],
            [],
            ["号a refused", "号a refused", "over: 号a refused"],
            id="another thing to mend is told again",
        ),
        pytest.param(
            [{"a": SECRET}, {"a": OFF}, {"a": SECRET}, {}],
            [],
            ["号a refused", "号a unreachable", "over: 号a unreachable", "over: 号a refused"],
            id="no answer does not say that a refusal is over",
        ),
        pytest.param(
            [{"a": OFF, "b": OFF}, {}],
            [],
            ["号a +1 unreachable", "over: 号a +1 unreachable"],
            id="one cause is one message",
        ),
        pytest.param(
            [{"b": UNREADABLE}],
            [("unreadable", "failure", 1), ("unreadable", "warning", 1)],
            ["号a: unreadable answer", "号b: unreadable answer"],
            id="a warning hides no failure",
        ),
    ],
)
def test_people_are_told_when_it_begins_and_when_it_is_over(
    people: People, mornings: list[Came], wrong: object, told: list[str]
) -> None:
    """Whatever the number of runs and days; it is listed as long as it lasts."""
    if "号a: unreadable answer" in told:  # given up: told by its run, and not over the next day
        people.attempt(["a"], asked(0)[:1], at(0), settled="given_up", **UNREADABLE)
        given_up = replace(Problem.of_kind(ProblemKind.UNREADABLE), appid="a", account="号a")
        people.check(0, 10, check=[replace(given_up, days=tuple(asked(0)[:1]))])
    for day, came in enumerate(mornings, start=1):
        people.morning(day, **came)

    assert (people.wrong(len(mornings)), people.titles) == (wrong, told)


def test_the_loader_may_write_it_and_the_reader_read_it(
    people: People, loader: Engine, reader: Engine
) -> None:
    """With no more than their roles allow."""
    people.attempt(["a"], asked(1), at(1), **SECRET)
    people.warehouse = loader
    people.check(1, check=[Problem(ProblemKind.SILENT, "", "", "号b", "b")])
    people.check(1)
    people.warehouse = reader

    assert people.wrong(1) == [("configuration", "failure", 1)]
    assert people.titles == ["号a refused, and 1 more"]


def test_nothing_is_told_while_it_is_tried_again(people: People) -> None:
    """But a refusal of another account: a person can begin to mend it."""
    people.ingest(1, {"a": OFF, "b": OFF}, is_at_work=True)
    silent = list(people.titles)
    people.ingest(1, {"a": SECRET, "b": OFF}, is_at_work=True)

    assert (silent, people.titles) == ([], ["号a refused"])


def test_figures_that_are_not_ready_are_told_at_noon_only(people: People) -> None:
    """They are not over when the next morning's first try finds them late still."""
    both, what = {"a": LATE, "b": LATE}, "号a +1: figures not ready"
    people.ingest(1, both, is_at_work=True)
    people.check(1)
    before_noon = people.titles, people.wrong(1)
    people.ingest(1, both, hour=12)
    people.check(1, 12.1)
    people.ingest(2, both, hour=8.5, is_at_work=True)
    told = list(people.titles)
    people.morning(2)

    assert (before_noon, told) == (([], []), [what])
    assert people.titles == [what, f"over: {what}"]


@pytest.mark.parametrize(
    ("source", "problem", "title"),
    [
        ("plan", Problem(ProblemKind.PROGRAM, "", "", subject="plan"), "plan: program fault"),
        ("deadline", Problem(ProblemKind.RUN_LATE, "", ""), "the daily run is late"),
        (
            "refresh_access_token",
            Problem(ProblemKind.CONFIGURATION, "", "", conn_id="spring"),
            "spring refused",
        ),
    ],
)
def test_what_a_task_has_found_is_over_when_a_whole_run_ends_without_it(
    people: People, source: str, problem: Problem, title: str
) -> None:
    """A run of some accounts says nothing of it."""
    people.note(Note(run(1), at(1), {source: [problem]}), is_last=True)
    listed = people.wrong(1, 11)
    some = run(2, accounts=("a",))
    people.note(Note(some, at(2, 8), {source: []}, looked=["a"]))
    others = people.titles
    people.note(Note(run(2), at(2), {source: []}))
    people.morning(2)

    assert listed == [(str(problem.kind), "failure", 0)]
    assert (others, people.titles) == ([title], [title, f"over: {title}"])


def test_the_days_of_an_account_without_a_token_are_on_the_card_of_its_refusal(
    people: People,
) -> None:
    """That of the other one, which nobody asked for either, is on another."""
    refused = Problem(ProblemKind.CONFIGURATION, "", "", "号a", "a", conn_id="a")
    people.note(Note(run(1), at(1), {"refresh_access_token": [refused]}))

    assert people.wrong(1, 13) == [("configuration", "failure", 1), ("not_asked", "failure", 1)]


def test_a_batch_says_nothing_about_what_others_have_in_common(people: People) -> None:
    """Only the check of a daily run does."""
    people.ingest(1, {"a": OFF, "b": OFF})
    people.ingest(1, {"b": None}, hour=10)

    assert people.titles == ["号a +1 unreachable"]


def test_an_account_that_left_is_told_once_ever(people: People) -> None:
    """By the first DAG that misses it; nobody is told that its trouble is over: it is not."""
    people.morning(1, a=SECRET)
    people.execute("UPDATE weixin.dim_account SET is_active = FALSE WHERE appid = 'a'")
    left = Problem(ProblemKind.NOT_COLLECTED, "gone", "", "号a", "a")
    for day, dataset in enumerate([DATASET, DETAIL, DATASET], start=2):
        note = Note(replace(run(day), dataset=dataset), at(day), once=[left])
        people.note(note, is_last=True)
    people.morning(5)

    assert people.titles == ["号a refused", "号a: no longer collected"]
    assert people.wrong(5) == []


def test_what_no_receiver_took_is_told_later(people: People) -> None:
    """The task that was killed before it told, too; what is over meanwhile is not told."""
    people.is_up = False
    people.morning(1, a=SECRET, b={**SECRET, "error": "also"})
    people.ingest(2, {"b": None})
    people.is_up = True
    people.check(2)

    assert people.titles == ["号a refused"]


def test_two_runs_at_once_tell_nothing_twice(people: People) -> None:
    """Nor does a later one."""
    people.attempt(["a"], asked(1), at(1), **SECRET)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(people.note, [Note(run(1), at(1), is_judged=True)] * 4))

    assert people.titles == ["号a refused"]


def test_three_hundred_accounts_refused_at_once_are_few_messages(people: People) -> None:
    """The page has a card for each."""
    appids = [f"x{number}" for number in range(300)]
    people.collect(*appids)
    people.morning(1, **dict.fromkeys(appids, SECRET))

    assert people.titles == ["号x0 refused, and 299 more"]
    assert len(people.wrong(1)) == 300


def test_what_a_red_run_lacks_is_told_whatever_the_day(people: People) -> None:
    """A final day asked for again, or an account that no daily run has: its check names them."""
    people.execute("UPDATE weixin.coverage SET settled = 'final'")
    final, new = (
        Problem(kind, "it broke", "", f"号{appid}", appid, days=(FIRST - DAY,))
        for kind, appid in ((ProblemKind.HELD_BACK, "a"), (ProblemKind.PROGRAM, "n"))
    )
    manual = run(0, names_dates=True, is_scheduled=False)
    note = Note(manual, at(0, 10), {"check": [final, new]}, ["a", "n"], is_judged=True)
    people.note(note, is_last=True)
    told = list(people.titles)
    people.attempt(["a", "n"], [FIRST - DAY], at(0, 12))

    assert told == ["号n: program fault, and 1 more"]
    assert people.wrong(0, 12) == []


# ---------------------------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("airflow", "hour", "wrong"),
    [
        (None, 11, []),
        (None, 13, [("not_asked", "failure", 1)]),
        (Airflow({DATASET.name: DagState(is_paused=True)}), 13, [("no_runs", "note", 0)]),
        (Airflow({DETAIL.name: DagState()}), 13, [("no_runs", "note", 0)]),
        (Airflow({}), 10, [("no_runs", "failure", 0)]),
        (replace(AWAKE, is_scheduler_alive=False), 13, [("scheduler_down", "failure", 0)]),
    ],
)
def test_why_nobody_has_asked(
    people: People, airflow: Airflow | None, hour: int, wrong: object
) -> None:
    """Before noon a run may; a paused DAG, or one left out of the file, is a decision."""
    assert people.wrong(1, hour, airflow) == wrong
    assert people.now(1, hour, airflow).is_healthy == ("failure" not in str(wrong))


def test_that_no_account_is_collected_is_said(warehouse: Engine) -> None:
    """With what to do first: nothing, if the first daily run is still to come today."""
    people, early = People(warehouse), Airflow({DATASET.name: DagState(next_run_at=at(0, 8, 30))})

    (waits,) = people.now(0, 7, early).open
    assert waits.problem.cause == "the first daily run is today at 08:30 Beijing time"
    assert people.wrong(0, 7, early) == [("first_run", "note", 0)]
    for airflow in (AWAKE, Airflow({DATASET.name: DagState(is_paused=True)})):
        assert people.wrong(0, 10, airflow) == [("nothing_collected", "failure", 0)]


def test_what_is_tried_again_or_waits_says_when_it_goes_on(people: People) -> None:
    """Whether WeChat fails or a task's own work; that WeChat is late is no trouble before noon."""
    fault = Problem(ProblemKind.PROGRAM, "KeyError", "report it", subject="plan")
    tries = {"failed_tries": 2, "tries": 4, "next_at": at(1, 9, 5)}
    tried = Trouble(fault, DATASET.name, Severity.RETRYING, **tries)
    of_task = people.now(1, 9, working(tried=[tried]))
    people.ingest(1, {"a": OFF, "b": OFF}, is_at_work=True)
    of_accounts = people.now(1, 9, working(tried=[tried]))
    people.ingest(1, {"a": LATE, "b": LATE}, is_at_work=True)
    waiting = people.now(1, 9, working(waits={(DATASET.name, run(1).run_id): at(1, 9)}))

    for found, kind in ((of_task, "program"), (of_accounts, "unreachable")):
        (trouble,) = found.open
        assert (trouble.problem.kind, trouble.severity) == (kind, "retrying")
        assert (trouble.failed_tries, trouble.tries, trouble.next_at) == (2, 4, at(1, 9, 5))
        assert (found.is_healthy, found.is_retrying) == (False, True)
    assert (waiting.is_healthy, [it.again_at for it in waiting.runs]) == (True, [at(1, 9)])
    assert people.wrong(1, 13, working()) == [("not_ready", "retrying", 1)]


def test_a_run_without_its_check_is_told_and_so_is_its_end(people: People) -> None:
    """Whoever ended it."""
    for _ in range(2):
        people.note(Note(run(1), at(1, 9), {"run": [ENDED]}, is_judged=True), is_last=True)
    people.morning(2)

    assert people.titles == ["a run ended early", "over: a run ended early"]


def test_what_was_mended_is_only_asked_for_again(people: People) -> None:
    """Nobody is told to mend it once more; of a retired endpoint one day was asked to find out."""
    people.morning(1, a=SECRET, b=OFFLINE)
    people.attempt(["a", "b"], [FIRST + DAY], at(2))

    assert people.wrong(2) == [("not_asked", "failure", 1)]


def test_a_retired_endpoint_is_a_warning_where_its_successor_collects(people: People) -> None:
    """Else somebody has to act; whatever the days, it is one trouble."""
    people.morning(1, a=OFFLINE, b=OFFLINE)
    alone = people.wrong(1, 13)
    people.collect("a", "b", dataset=DETAIL.name)

    assert alone == [("endpoint_offline", "failure", 0)]
    assert people.wrong(1, 13) == [("endpoint_offline", "warning", 0)]
    assert people.titles == ["号a +1: endpoint retired"]


def test_a_rejected_value_is_listed_until_it_is_resolved(people: People) -> None:
    """It is told once, and its end is no news."""
    for statement in REJECTED.split(";"):
        people.execute(statement)
    people.morning(1)
    people.morning(2)
    listed = people.wrong(2)
    people.execute("UPDATE weixin.rejected_row SET resolved_at = now()")
    people.morning(3)

    assert (listed, people.wrong(3)) == ([("rejected", "warning", 1)], [])
    assert people.titles == ["号a: a value does not fit"]


@pytest.mark.parametrize("source", ["refresh_access_token", "ingest"])
def test_what_kept_a_task_of_an_earlier_run_from_its_work_is_over_with_the_next(
    people: People, source: str
) -> None:
    """Also while a connection, or an account, has a trouble of its own."""
    stuck = Problem.of_kind(ProblemKind.PROGRAM, "KeyError", subject=source)
    people.note(Note(run(1), at(1), {source: [stuck]}, is_judged=True), is_last=True)
    unusable = Problem.of_kind(ProblemKind.CONFIGURATION, code="connection_missing", conn_id="c")
    people.note(Note(run(2), at(2), {source: [unusable]}, looked=["a", "b", "c"]))
    people.morning(2)

    assert people.wrong(2) == [("configuration", "failure", 0)]
    told = f"{source}: program fault"
    assert people.titles == [told, "c refused", f"over: {told}"]


def test_days_that_are_lost_are_listed_until_somebody_brings_them_in(people: People) -> None:
    """With the dates to enter; so are days of which the answer can't be read."""
    people.execute("UPDATE weixin.collected_since SET catch_up_days = 0")
    people.attempt("ab", [FIRST + DAY * age for age in range(-7, 9) if age not in (0, 1)], at(9))
    listed = people.now(9)
    people.attempt("ab", [FIRST, FIRST + DAY], at(9, 11))
    people.attempt("a", [FIRST + DAY], at(9, 11), settled="given_up", **UNREADABLE)

    assert listed.is_healthy
    (one, other) = listed.open
    assert (one.problem.kind, one.problem.days) == ("days_lost", (FIRST, FIRST + DAY))
    assert f"(begin_date {FIRST}, end_date {FIRST + DAY})" in one.problem.cure
    assert other.problem.days == one.problem.days
    assert people.wrong(9) == [("unreadable", "warning", 1)]


@pytest.mark.parametrize("kind", ["configuration", "call_refused"])
def test_a_refusal_counts_days_that_have_figures_and_what_is_answered_with_it_hides_it_not(
    people: People, kind: str
) -> None:
    """Calls in flight are answered after the refusal that stops their account."""
    people.attempt(["a"], asked(0)[:1], at(1), **{**SECRET, "kind": kind})
    people.attempt(["a", "b"], asked(1)[1:], at(1) + timedelta(seconds=1))
    people.check(1)

    assert people.wrong(1) == [(kind, "failure", 1)]
    assert people.titles == ["号a refused"]


@pytest.mark.parametrize("seed", range(12))
def test_page_and_messages_have_one_list(people: People, seed: int) -> None:
    """Whatever happens: what is open is what is wrong, and each has one begin and one end."""
    chance = random.Random(seed)  # no secret
    ways = [None, None, SECRET, OFF, LATE, {**SECRET, "error_code": 48001}]
    for day in range(1, 15):
        came = {appid: chance.choice(ways) for appid in "ab" if chance.random() < 0.9}
        for number in range(chance.randint(0, 2)):
            people.ingest(day, came, hour=8 + number, is_at_work=True)
        people.ingest(day, came)
        hour = chance.choice([10, 13])
        people.check(day, hour)
        open_now = "SELECT identity FROM weixin.incident WHERE closed_at IS NULL ORDER BY 1"
        told = {it for (it,) in rows(people.warehouse, open_now)}
        listed = {it.identity for it in people.now(day, hour).open}

        assert listed <= told
        hidden = told - listed
        assert not hidden or {"unreachable", "not_asked"} & listed
    for day in (15, 16):
        people.morning(day)
        people.check(day, 13)

    assert people.wrong(16, 13) == []
    unended = "SELECT identity FROM weixin.incident WHERE closed_at IS NULL OR told_at IS NULL"
    assert rows(people.warehouse, unended) == []
