"""What is wrong is a list, and people are told when something of it begins and is over."""

import json
import random
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine
from support import cases, rows
from support.rest import until
from support.warehouse_loads import import_lines, line
from world.notified import DATASET, DAY, DETAIL, FIRST, OFF, People, at, run
from world.wechat import day_number

from weixin_etl.health.alert import Alert, Severity
from weixin_etl.health.alerts import Airflow, DagState
from weixin_etl.health.incidents import Observation
from weixin_etl.health.wording import CHINESE, Wording
from weixin_etl.problem import Problem, ProblemKind

SECRET, ADDRESS, RIGHTS, OFFLINE, LATE, QUOTA = 40125, 40164, 48001, 47009, 61503, 45009
ODD = b"""{"list": [{"ref_date": "2026-11-09", "msgid": "1_1", "details": [
    {"stat_date": "2026-11-09", "int_page_read_user": 1}, 7, {"stat_date": "soon"}
]}]}"""
FELL_ON = FIRST - DAY * 2


def without_figures(day: date) -> bytes:
    """Return an answer that lists an article without a row."""
    return json.dumps({"list": [{"ref_date": str(day), "msgid": "1_1", "details": []}]}).encode()


def fallen_to(readers: int) -> Any:
    """Return how WeChat answers, if the readers of a day fell to so many."""
    row = {"stat_date": str(FELL_ON), "int_page_read_user": readers}
    item = {"ref_date": str(FELL_ON), "msgid": f"{1000 + day_number(FELL_ON)}_1", "details": [row]}
    return some(json.dumps({"list": [item]}).encode(), FELL_ON)


PROGRAM = Problem.of_kind(ProblemKind.PROGRAM, "KeyError", subject="ingest")
NO_WAREHOUSE = {"ingest": [Problem.of_kind(ProblemKind.WAREHOUSE)]}
OF_B = Observation(run(2), at(2, 13), NO_WAREHOUSE, scope=["b"], shows_ends=True)
UNUSABLE = Problem.of_kind(ProblemKind.CONFIGURATION, code="connection_missing", conn_id="c")


@pytest.fixture
def people(warehouse: Engine) -> People:
    """Two accounts whose figures are in on the first morning."""
    people = People(warehouse)
    people.morning()
    return people


def some(answer: int | bytes, *days: date) -> Any:
    return lambda day: answer if day in days else None


def next_day(people: People, hour: float = 9, **answers: Any) -> None:
    """Make the next day's first try, after which the run tries or asks again."""
    people.day += 1
    people.ingest(hour, again=True, **answers)


def in_detail(people: People, hour: float = 10, **answers: Any) -> None:
    """Execute the same morning's run of the other dataset."""
    people.dataset, people.day = DETAIL, people.day - 1
    people.morning(hour, **answers)
    people.dataset = DATASET


def again(people: People, of: str = "", hour: float = 11, **answers: Any) -> None:
    """Execute the day's run again, for all accounts or for one."""
    people.ingest(hour, of, **answers)
    people.check(hour + 0.5, of)


def of_one_day(people: People) -> None:
    """Ask for a late day on the third day, by a run with dates; people look on the fourth day."""
    late_run = run(3, begin_date=FIRST + DAY, end_date=FIRST + DAY, names_dates=True)
    people.day, people.now = 4, at(3, 12)
    people.collector.ingest(late_run, people.collector.plan(late_run))


def answered_since(people: People) -> None:
    """Refuse both accounts in one minute, and answer one of them a minute after its refusal."""
    people.day = 1
    for of, second in (("a", 5), ("b", 50)):
        people.ingest(9 + second / 3600, of, **{of: some(RIGHTS, FIRST - DAY * 7)})
    of_a, people.now = replace(OF_FIRST, accounts=("a",)), at(1, 9 + 70 / 3600)
    people.collector.ingest(of_a, people.collector.plan(of_a))


def leave(people: People) -> None:
    """Remove the account 号a from the list."""
    people.names = {"b": "号b"}


STEPS: dict[str, Callable[..., object]] = {
    **{"morning": People.morning, "ingest": People.ingest, "check": People.check},
    **{"try": next_day, "again": again, "detail": in_detail, "left": leave},
    **{"one_day": of_one_day, "a_minute": answered_since},
    "down": lambda people: setattr(people, "is_up", False),
    "up": lambda people: setattr(people, "is_up", True),
    "day": lambda people, at: setattr(people, "day", int(at)),
    "narrow": lambda people: people.settings.update(catch_up_days=0),
    "no_warehouse": lambda people: people.note(OF_B),
}
"""What happens, by the verbs of tables.yaml."""
ANSWERS: dict[str, Any] = {
    **{"secret": SECRET, "address": ADDRESS, "rights": RIGHTS, "offline": OFFLINE, "late": LATE},
    **{"quota": QUOTA, "off": OFF, "no_json": b"no JSON", "bare": without_figures},
    **{"late_day": some(LATE, FIRST), "secret_oldest": some(SECRET, FIRST - DAY * 7)},
    **{"odd": some(ODD, FIRST), "all_odd": some(ODD.replace(b": 1}", b': "many"}'), FIRST)},
    **{"fell_to_900": fallen_to(900), "fell_to_800": fallen_to(800)},
}
"""How WeChat answers, by the words of tables.yaml."""


def take(people: People, steps: str) -> None:
    """Take the steps of a cell of tables.yaml, which describes them."""
    for step in filter(None, steps.split("; ")):
        verb, *words = step.split()
        given = dict(word.split("=") for word in words)
        hours = {"hour": float(given.pop("hour"))} if "hour" in given else {}
        for _ in range(int(given.pop("times", 1))):
            STEPS[verb](
                people, **hours, **{name: ANSWERS.get(given[name], given[name]) for name in given}
            )


@pytest.mark.every_postgres
@cases
def test_people_are_told_when_it_begins_and_when_it_is_over(
    rule: str, steps: str, wrong: str, titles: str, people: People
) -> None:
    """Once each, whatever the number of runs and days; it is listed as long as it lasts."""
    take(people, steps)

    found = [f"{kind} {severity} {count}" for kind, severity, count in people.wrong()]
    assert ", ".join(found) == wrong
    assert ", ".join(re.sub(", (and .*)", r" (\1)", title) for title in people.titles) == titles


def test_people_read_how_many_values_do_not_fit_and_why(people: People) -> None:
    """In their language: how many have the most frequent reason, and how many another one."""
    people.morning(a=some(ODD, FIRST))
    (found,) = people.status().open

    assert found.problem.cause == "a row is not an object; it is left out; 1 more part does not fit"
    assert Wording(CHINESE).problem_of(found).cause == "有一行不是对象；该行未入库；另有 1 处不合格"


@pytest.mark.parametrize(
    ("source", "problem", "title"),
    [
        ("plan", replace(PROGRAM, subject="plan"), "plan: program fault"),
        ("run", Problem.of_kind(ProblemKind.RUN_ENDED, subject="r"), "a run ended early"),
        ("deadline", Problem(ProblemKind.RUN_LATE, "", ""), "the daily run is late"),
        ("refresh_access_token", UNUSABLE, "c refused"),
        ("ingest", PROGRAM, "ingest: program fault"),
    ],
)
def test_what_a_task_has_found_is_over_when_a_whole_run_ends_without_it(
    people: People, source: str, problem: Problem, title: str
) -> None:
    """Found again it is no news; a run of some accounts says nothing of it."""
    for hour in (8, 9):
        people.note(Observation(run(1), at(1, hour), {source: [problem]}))
    listed = people.wrong(11, day=1)
    (found,) = people.status(11, day=1).open
    people.note(Observation(run(2, accounts=("a",)), at(2, 8), {source: []}, scope=["a"]))
    told = people.titles
    people.note(Observation(run(2), at(2), {source: []}))
    people.day = 1
    people.morning()

    assert listed == [(str(problem.kind), "failure", 0)]
    assert found.problem.row is problem.row  # its cure in Chinese is there
    assert (told, people.titles) == ([title], [title, f"over: {title}"])


def test_runs_at_once_tell_of_three_hundred_accounts_once(
    people: People, loader: Engine, reader: Engine
) -> None:
    """In one message of two datasets, though the page has a card for each; roles allow no less."""
    people.names = {f"x{number}": "" for number in range(300)}
    people.collector.plan(run(1))
    who = [{"account": appid, "appid": appid} for appid in people.names]
    found = {"check": [Problem.of_kind(ProblemKind.CONFIGURATION, **account) for account in who]}
    people.warehouse = loader
    observation, detail = (
        Observation(run(1, dataset), at(1), found, shows_ends=True) for dataset in (DATASET, DETAIL)
    )

    def send(message: Any) -> bool:
        people.got.append(message)
        other = pool.submit(people.note, detail)
        until(lambda: rows(loader, "SELECT FROM pg_locks WHERE NOT granted") or other.done())
        return True

    people.send = send  # type: ignore[method-assign]
    with ThreadPoolExecutor(4) as pool:
        people.note(observation)
        list(pool.map(people.note, [observation] * 4))
    people.warehouse = reader

    assert people.titles == ["x0 refused, and 299 more"]
    assert len(people.wrong(day=1)) == 300


def airflow(*, is_at_work: bool = False, is_alive: bool = True, **dag: Any) -> Airflow:
    """Airflow with the DAG, and perhaps a run of it."""
    runs = {DATASET.name: [run(1).run_id]} if is_at_work else {}
    tries = {"failed_tries": 2, "tries": 4, "next_at": at(1, 9.1)}
    tried = Alert(replace(PROGRAM, subject="plan"), DATASET.name, Severity.RETRYING, **tries)
    return Airflow({DATASET.name: DagState(**dag)}, is_alive, runs, [tried] if is_at_work else [])


UNREACHABLE, UNREADY = dict.fromkeys("ab", OFF), dict.fromkeys("ab", LATE)
AT_WORK, WAITING = airflow(is_at_work=True), replace(airflow(is_at_work=True), tried=[])
PAUSED, LEFT_ALONE = airflow(is_paused=True), replace(AT_WORK, is_scheduler_alive=False)
PLANNED, OF_FIRST = run(1), run(1, begin_date=FIRST, end_date=FIRST, names_dates=True)
AT_OTHER_WORK = replace(
    AT_WORK, tried=[replace(task, dataset=DETAIL.name) for task in AT_WORK.tried]
)


@pytest.mark.parametrize(
    ("state", "known", "hour", "wrong"),
    [
        ("new", airflow(next_run_at=at(1, 8.5)), 7, [("first_run", "note", 0)]),
        ("new", airflow(), 10, [("nothing_collected", "failure", 0)]),
        ("new", Airflow({}), 10, [("no_runs", "failure", 0)]),
        ("new", PAUSED, 10, [("nothing_collected", "failure", 0)]),
        (None, None, 11, []),
        (None, None, 13, [("not_asked", "failure", 1)]),
        (None, PAUSED, 13, [("no_runs", "note", 0)]),
        (None, Airflow({DETAIL.name: DagState()}), 13, [("no_runs", "note", 0)]),
        (None, Airflow({}), 10, [("no_runs", "failure", 0)]),
        (None, airflow(is_alive=False), 13, [("scheduler_down", "failure", 0)]),
        ({}, AT_WORK, 9, [("program", "retrying", 0)]),
        ({}, LEFT_ALONE, 9, [("scheduler_down", "failure", 0)]),
        ({}, AT_OTHER_WORK, 9, []),
        (UNREACHABLE, AT_WORK, 9, [("unreachable", "retrying", 1)]),
        (UNREADY, WAITING, 9, []),
        (PLANNED, WAITING, 13, []),
        (OF_FIRST, WAITING, 37, [("not_asked", "failure", 1)]),
        (UNREADY, WAITING, 13, [("not_ready", "retrying", 1)]),
    ],
)
def test_why_nobody_has_asked(
    warehouse: Engine, state: Any, known: Airflow | None, hour: int, wrong: object
) -> None:
    """
    Before noon a run may, and one that is at work does; what a person decided is a note.

    Where nobody is collected yet, there is nothing to do if the first run is still to come today.
    """
    people = People(warehouse)
    if state != "new":
        people.morning()
    people.day = 1
    if state in (PLANNED, OF_FIRST):
        people.now = at(1)
        people.collector.plan(state)
    elif isinstance(state, dict):
        people.ingest(again=True, **state)
    found = people.status(hour, known)

    assert people.wrong(hour, known) == wrong
    is_broken = re.search("failure|waiting|retrying", str(wrong)) is not None
    assert found.is_healthy == (not is_broken)
    assert [alert.failed_tries for alert in found.open if alert.severity == "retrying"] == (
        [2] if known is AT_WORK else [0] * ("retrying" in str(wrong))
    )


@pytest.mark.parametrize(
    ("day", "hour", "due"), [(0, 23.5, "at 2026-11-10 08:30"), (1, 0.5, "today at 08:30")]
)
def test_in_the_first_night_there_is_nothing_to_do(
    warehouse: Engine, day: int, hour: float, due: str
) -> None:
    """Runs by hand have brought days in: they are counted, and the first daily run is named."""
    people = People(warehouse, day=0, now=at(0, 22))
    by_hand = run(0, names_dates=True, is_scheduled=False, begin_date=FIRST - DAY * 7)
    manual_run = replace(by_hand, run_id="by hand", end_date=FIRST - DAY)
    people.collector.ingest(manual_run, people.plan(manual_run))
    people.day = day
    found = people.status(hour, airflow(next_run_at=at(1, 8.5)))
    line = Wording().morning_line(found)

    assert [alert.problem.cure for alert in found.open] == [
        f"nothing to do: the first daily run is {due}"
    ]
    assert found.is_healthy
    assert "2 accounts: 14 of 14 days in at 22:00; next run to" in line


def test_the_calendar_says_at_once_what_the_card_says(people: People) -> None:
    """Which of its days wait for a person: those without figures and with those of yesterday."""
    next_day(people, 8.5, a=SECRET, b=OFF)
    days, asked = people.wrong_days(8.6), {FIRST - DAY * ago for ago in range(8)}
    of_a = {day: alert for (appid, day), alert in days.items() if appid == "a"}

    assert {(alert.problem.code, alert.severity) for alert in of_a.values()} == {
        ("40125", "failure")
    }
    assert (of_a.keys(), len(days)) == (asked, 2 * len(asked))
    assert people.wrong(8.6)[0] == ("configuration", "failure", 1)
    people.ingest(9, a=SECRET, b=LATE)
    assert {appid for appid, _ in people.wrong_days(9.1)} == {"a"}


@pytest.mark.parametrize(
    ("is_paused", "severity", "code"),
    [(True, "failure", "47009_successor"), (False, "warning", "47009_succeeded")],
)
def test_a_retired_endpoint_names_the_dag_of_its_successor(
    people: People, is_paused: bool, severity: str, code: str
) -> None:
    """As what to unpause, or as what collects it: one card, and the calendar says the same."""
    dags = {DATASET.name: DagState(), DETAIL.name: DagState(is_paused)}
    in_detail(people)
    people.morning(b=OFFLINE)
    (found,) = people.status(10, Airflow(dags)).open
    days = people.wrong_days(10, Airflow(dags))

    assert (found.severity, found.problem.code, found.problem.errcode) == (severity, code, OFFLINE)
    assert DETAIL.dag_id in found.problem.cure
    assert {(appid, alert.severity) for (appid, _), alert in days.items()} == {("b", severity)}
    assert {alert.problem.cure for alert in days.values()} == {found.problem.cure}


def test_who_left_has_a_card_as_long_as_people_may_wonder(people: People) -> None:
    """The message leads to it, and it names the entry to put back; no longer if that is back."""
    leave(people)
    people.morning()
    (found,), (message,) = people.status().open, people.got

    assert message.body.endswith(f"#problem-{found.incident_id}")
    assert found.problem.cure.endswith("Else put a back")
    assert people.wrong(day=13) != []
    assert people.wrong(8, day=15)[0][0] != "not_collected"
    people.names = {"a": "号a", "b": "号b"}
    people.morning()
    assert people.wrong() == []


@cases
def test_how_far_the_newest_morning_has_come(
    steps: str, day: int, accounts: int, days: int, days_in: int, people: People
) -> None:
    """Days that runs asked for are counted; in are those that are final or were answered since."""
    take(people, steps)
    newest = people.status(day=day).newest

    assert newest
    assert newest.morning == FIRST + DAY * people.day
    assert (newest.account_count, newest.day_count, newest.days_in) == (accounts, days, days_in)


@pytest.mark.parametrize("answer", [QUOTA, LATE])
def test_where_nobody_has_to_act_it_is_amber_for_that_morning(people: People, answer: int) -> None:
    """The page, `/health`, the exit code and the message say so; not if no run asks again."""
    people.morning(12, a=answer)
    found, in_an_hour = people.status(13), people.wrong(13)
    (message,) = people.got

    assert [severity for _, severity, _ in in_an_hour] == ["waiting"]
    assert (found.is_healthy, found.resolves_itself) == (False, True)
    assert message.notify_type == "warning"
    assert people.wrong(11, day=1) == in_an_hour
    assert people.wrong(13, day=1) == [("not_asked", "failure", 2)]
    assert not people.status(13, day=1).resolves_itself


def import_answers(warehouse: Engine, of_day: int, *days: int) -> None:
    """Import answers of a day that list an article on each of the days."""
    for day in (str(FIRST + day * DAY) for day in days):
        article = {"ref_date": day, "msgid": "9_1", "details": [{"stat_date": day}]}
        import_lines(warehouse, line({"list": [article]}, at(of_day, 11), appid="a", day=day))


def test_what_an_import_brought_in_was_missed_by_no_run(people: People) -> None:
    """The next daily run asks for it, as for any open day."""
    import_answers(people.warehouse, -16, -20)

    assert people.wrong(13) == []
    assert people.wrong(13, day=1) == [("not_asked", "failure", 1)]
    people.morning()
    assert people.wrong(13) == []


def test_of_days_that_were_imported_a_run_misses_those_of_its_window(warehouse: Engine) -> None:
    """Older ones were answered in the same minute, and look alike."""
    people = People(warehouse, {"a": "号a"}, day=0, now=at(0))
    import_answers(warehouse, -3, -9, -8, -7, -6, -5)
    newest = run(0, begin_date=FIRST - 4 * DAY, end_date=FIRST - DAY, names_dates=True)
    people.collector.plan(run(0))
    people.collector.ingest(newest, people.collector.plan(newest))

    assert people.wrong(13) == [("not_asked", "failure", 3)]


def test_who_lists_nothing_new_in_thirty_answered_days_is_worth_a_warning(people: People) -> None:
    """Not a day earlier, and only who published before."""
    nothing = some(b'{"list": []}', *(FIRST + number * DAY for number in range(30)))
    warned = []
    for day in range(1, 31):
        people.morning(a=nothing)
        judged = people.collector.check(run(day), people.plans[run(day)])
        warned += [(day, problem.kind, problem.account) for problem in judged.warnings]

    assert warned == [(30, ProblemKind.SILENT, "号a")]


def test_an_account_that_lists_nothing_new_may_miss_days(people: People) -> None:
    """The warning does not take the place of the alert of days that nobody asked for."""
    silent = Problem.of_kind(ProblemKind.SILENT, account="号a", appid="a", conn_id="a")
    people.note(Observation(run(0), at(0, 9.6), {"check": [silent]}))

    missing, warning = people.status(13, day=1).open

    assert (missing.problem.kind, missing.appids) == (ProblemKind.NOT_ASKED, {"a", "b"})
    assert (warning.problem.kind, warning.problem.days) == (ProblemKind.SILENT, ())


def test_a_run_of_some_accounts_ends_the_problem_of_a_connection_that_it_checked(
    people: People,
) -> None:
    """A connection without a known AppID is in the scope by its id."""
    task = "refresh_access_token"
    people.note(Observation(run(0), at(0, 10), {task: [UNUSABLE]}))
    told = []
    for checked in ("a", "c"):
        of_some = run(0, accounts=(checked,))
        people.note(Observation(of_some, at(0, 11), {task: []}, [checked], shows_ends=True))
        told.append(people.titles)

    assert told == [["c refused"], ["c refused", "over: c refused"]]


@pytest.mark.parametrize("seed", range(12))
def test_page_and_messages_have_one_list(people: People, seed: int) -> None:
    """
    Whatever happens: what is open is what is wrong, and each has one begin and one end.

    The calendar's days have the same troubles.
    """
    chance = random.Random(seed)
    for _ in range(7):
        answers = {appid: chance.choice([None, None, SECRET, OFF, LATE, RIGHTS]) for appid in "ab"}
        next_day(people, 8, **answers)
        people.ingest(9, **answers)
        people.check(hour := chance.choice([10, 13]))
        open_now = "SELECT dedup_key FROM weixin.incident WHERE closed_at IS NULL"
        told = {dedup_key for (dedup_key,) in rows(people.warehouse, open_now)}
        listed = {alert.dedup_key for alert in people.status(hour).open}
        of_list = {(alert.problem.kind, alert.severity) for alert in people.status(hour).open}
        of_days = {
            (alert.problem.kind, alert.severity) for alert in people.wrong_days(hour).values()
        }

        assert of_days == of_list
        assert listed <= told
        assert listed == told or {"unreachable", "not_asked"} & listed
    for _ in range(2):
        people.morning(12)

    assert people.wrong(13) == []
    unended = "SELECT dedup_key FROM weixin.incident WHERE closed_at IS NULL OR told_at IS NULL"
    assert rows(people.warehouse, unended) == []
