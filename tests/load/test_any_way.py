"""
Check that the tables depend only on the answers, not on the way in which they are loaded.

The answers come in any order, repeated, killed, in runs or as imports; the tables must be those of
`world/expected_tables.py` (decisions 0004 and 0019).
"""

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from support import empty, execute, rows
from support.account_days import wrong_account_days
from support.warehouse_loads import SCHEDULED, at, contents, import_lines, know, line, staged
from world.expected_tables import Answer, Facts, differences, expected_tables, facts, held
from world.wechat import item

from weixin_etl.datasets import ARTICLE_READ, ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, DATASETS, Dataset
from weixin_etl.kept.replay import replay, select_slices
from weixin_etl.load import Load
from weixin_etl.model import Account

OF_STATISTICS = [
    (dataset, ARTICLE_TOTAL_DETAIL)
    for dataset in DATASETS.values()
    if not dataset.describes_articles
]
DAYS = [date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 21)]
ODD = "odd"  # a value that does not fit
MOVED = "34"
"""Messages that several days may list, with all rows and attributes, as WeChat would."""
ACCOUNTS = {
    appid: Account(f"weixin_{appid}", appid, "secret", f"号{appid}") for appid in ("wx1", "wx2")
}

# -------------------------------------------------------------------------------- the answers

Drawn = tuple[str, dict[str, Any], dict[int, dict[str, Any]]]
"""An item: its message or number, its attributes, its rows by day of the month."""
a_count, a_text = st.integers(0, 2), st.sampled_from("甲乙")
figures = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("share_count", "share_user", "new_a"), st.none() | a_count)
) | st.fixed_dictionaries({"share_count": a_count, "share_user": st.just(ODD)})
keys = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("title", "url", "new_key"), st.none() | a_text)
)
messages = st.tuples(
    st.sampled_from("112"), keys, st.dictionaries(st.sampled_from([20, 21]), figures, max_size=2)
)
whole = st.fixed_dictionaries(dict.fromkeys(("share_count", "share_user"), a_count))
moved = st.tuples(
    st.sampled_from(MOVED),
    st.fixed_dictionaries(dict.fromkeys(("title", "url"), a_text)),
    st.fixed_dictionaries(dict.fromkeys((19, 20, 21), whole)),
)


def items(dataset: Dataset, day: date) -> st.SearchStrategy[list[Drawn]]:
    """
    Return a strategy for an answer's items.

    An item of a statistics day has one row, perhaps of an article that is also listed.
    """
    if dataset.describes_articles:
        return st.lists(messages | moved, min_size=1, max_size=3)
    first, *other_names = (metric.name for metric in dataset.figures)
    row = st.fixed_dictionaries(
        {first: a_count}, optional=dict.fromkeys(other_names[:1], st.none() | a_count)
    )
    of_one = st.tuples(st.sampled_from(MOVED), st.just({}), row.map(lambda given: {day.day: given}))
    count = len(MOVED) if dataset.item else 1
    return st.lists(of_one, min_size=1, max_size=count, unique_by=lambda drawn: drawn[0])


def answer(appid: str, dataset: Dataset, day: date, minute: int, drawn: Iterable[Drawn]) -> Answer:
    """Return an answer fetched in a minute of one of three mornings; its bytes are unique."""
    fetched_at = at("22 10:00") + timedelta(days=minute // 7, minutes=minute % 7)
    listed = [
        item(
            dataset,
            day,
            name(dataset, day, message),
            {day.replace(day=on): row for on, row in of_days.items() if on >= day.day},
            **attributes,
        )
        for message, attributes, of_days in drawn
    ]
    body = json.dumps({"list": listed, "given_at": str(fetched_at)}).encode()
    return Answer(appid, dataset, day, fetched_at, body)


def name(dataset: Dataset, day: date, message: str) -> str | int:
    """Return the id of a channel or article; an article of a single day has the day in its id."""
    if dataset.item and dataset.item.is_number:
        return int(message)
    return f"{message}_1" if message in MOVED else f"{day:%d}0{message}_1"


def mostly(first: Any, *other_values: Any) -> st.SearchStrategy[Any]:
    """Return a strategy that prefers the first value, so that answers of one day meet."""
    return st.sampled_from([*[first] * 4, *other_values])


@st.composite
def answers(draw: st.DrawFn) -> list[Answer]:
    """
    Draw answers of two accounts, two datasets and three days, all of them ready.

    None is empty: another rule decides whether an empty list is confirmed. No two are the same.
    """
    minutes = draw(st.lists(st.integers(0, 20), min_size=2, max_size=6, unique=True))
    of_articles = [(ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL)] * len(OF_STATISTICS)
    datasets, fetched = draw(st.sampled_from([*of_articles, *OF_STATISTICS])), []
    for minute in sorted(minutes):
        asked = draw(mostly(*ACCOUNTS)), draw(mostly(*datasets)), draw(mostly(*DAYS))
        fetched.append(answer(*asked, minute, draw(items(*asked[1:]))))
    return fetched


# -------------------------------------------------------------------------------- how they come


@dataclass(frozen=True)
class Arrival:
    """Answers that arrive together: in a run, a chunk of each account, or in an imported file."""

    answers: tuple[Answer, ...]
    is_imported: bool = False
    killed_at: int = 0
    """The commit before which the load is killed and then repeated; 0: never."""


@st.composite
def any_way(draw: st.DrawFn) -> list[Arrival]:
    """Draw answers, and arrivals of them in any order; the last arrival is a repetition."""
    arriving = draw(st.permutations(draw(answers())))
    cut: list[Arrival] = []
    while arriving:
        count = draw(st.integers(1, 3))
        taken, arriving = tuple(arriving[:count]), arriving[count:]
        is_run = draw(st.booleans()) and fits_one_commit(taken)
        cut.append(Arrival(taken, not is_run, draw(st.integers(0, 3))))
    return [*cut, replace(draw(st.sampled_from(cut)), is_imported=True)]


def all_answers(arrivals: Iterable[Arrival]) -> list[Answer]:
    """Return the answers of all arrivals."""
    return [answer for arrival in arrivals for answer in arrival.answers]


def fits_one_commit(taken: Sequence[Answer]) -> bool:
    """Return whether one commit of a run can hold the answers: of one dataset, a day once."""
    is_once = len({answer.slice for answer in taken}) == len(taken)
    return is_once and len({answer.dataset for answer in taken}) == 1


class Killed(BaseException):
    """The load's process is killed."""


seconds = itertools.count()


def tick() -> datetime:
    """Return the time of a commit; no two are the same."""
    return at("24 10:30") + timedelta(seconds=next(seconds))


def take(warehouse: Engine, arrival: Arrival) -> None:
    """Load or import the answers, and once more if the first time is killed."""
    commits, bring_in = itertools.count(1), import_ if arrival.is_imported else load

    def kill(_connection: Any) -> None:
        if next(commits) == arrival.killed_at:
            raise Killed

    event.listen(warehouse, "commit", kill)
    try:
        bring_in(warehouse, arrival.answers)
    except Killed:
        warehouse.dispose()
        bring_in(warehouse, arrival.answers)
    finally:
        event.remove(warehouse, "commit", kill)


def load(warehouse: Engine, taken: Sequence[Answer]) -> None:
    """Load the answers in one commit of a run, a chunk for each account."""
    chunks = [
        [
            staged(answer.body, answer.at, answer.day, answer.dataset, account)
            for answer in taken
            if answer.appid == appid
        ]
        for appid, account in ACCOUNTS.items()
    ]
    run = replace(SCHEDULED, dataset=taken[0].dataset)
    Load(warehouse, run, ready_hour=10, now=tick).commit([chunk for chunk in chunks if chunk])


def import_(warehouse: Engine, taken: Iterable[Answer]) -> None:
    """Import the answers as lines of a file, in their order."""
    lines = [
        line(
            answer.body.decode(),
            answer.at,
            appid=answer.appid,
            dataset=answer.dataset.name,
            day=str(answer.day),
        )
        for answer in taken
    ]
    import_lines(warehouse, *lines, commit_bytes=2000, now=tick)


# -------------------------------------------------------------------------------- the property


def in_runs(*answers_of_runs: Answer) -> list[Arrival]:
    """Return arrivals with a run for each answer, the last one repeated."""
    arrivals = [Arrival((answer,)) for answer in answers_of_runs]
    return [*arrivals, arrivals[-1]]


def answer_with_row(
    day: date, minute: int, row: dict[str, Any], message: str = "1", **keys: str
) -> Answer:
    """Return an answer with one row of one message."""
    return answer("wx1", ARTICLE_TOTAL, day, minute, [(message, keys, {20: row})])


def runs_of_one_row(*versions: dict[str, Any]) -> list[Arrival]:
    """Return runs whose answers give one row in these versions."""
    return in_runs(*(answer_with_row(DAYS[0], minute, row) for minute, row in enumerate(versions)))


def runs_of_two_days(late_day: date, *other_days: date) -> list[Arrival]:
    """Return runs of one row. The last has an out-of-order answer, and new ones of other days."""
    first = answer_with_row(DAYS[0], 0, {"share_count": 0}, "3", title="甲", url="甲")
    since = answer_with_row(late_day, 5, {}, "4", title="甲", url="甲")
    late = answer_with_row(late_day, 3, {"share_count": 1}, "3", title="乙", url="乙")
    newest = [
        answer_with_row(day, 6, {"share_count": 2}, "3", title="丙", url="丙") for day in other_days
    ]
    both = Arrival((late, *newest))
    return [*in_runs(first, since)[:2], both, both]


LISTED = answer("wx1", ARTICLE_TOTAL_DETAIL, DAYS[0], 0, [("3", {"title": "甲"}, {20: {}})])
READ = answer("wx1", ARTICLE_READ, DAYS[1], 1, [("3", {}, {20: {"read_user": 1}})])
LATE = answer_with_row(DAYS[0], 0, {"share_count": 1, "share_user": 1})
NAMED = answer("wx1", ARTICLE_TOTAL, DAYS[0], 1, [("3", {"title": "乙"}, {20: {}})])
ROWS: list[Drawn] = [("3", {}, {19: {"share_count": 0}, 21: {"share_count": 1}})]
BOTH = Arrival(tuple(answer("wx1", ARTICLE_TOTAL, DAYS[n], n, ROWS) for n in (0, 1)))
ODDLY_READY = (
    "SELECT 1 FROM weixin.coverage WHERE dataset LIKE 'article_total%' AND (settled IS NOT NULL "
    "OR (ready_at, ready_at, error_kind) IS DISTINCT FROM (attempted_at, fetched_at, NULL))"
)
"""Finds coverage of publication days that is not as after a ready answer alone."""


def without_days(of: Facts) -> Facts:
    """Return the facts without the publication day, which is the newest at any instant."""
    return {(*key[:3], key[4]): figures for key, figures in of.items()}


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(any_way())
@example(runs_of_one_row({"share_count": 1}, {"share_count": 2}))
@example(runs_of_one_row({"share_count": 1, "share_user": 2, "new_a": 1}, {"share_count": None}))
@example(runs_of_one_row({"share_count": 1, "share_user": ODD}, {"share_user": 2}))
@example([BOTH, BOTH])  # days that were never loaded list one article
@example(in_runs(LISTED, READ))  # a day on which it is read is no publication day of it (0044)
@example([*in_runs(READ), Arrival((LISTED,), is_imported=True), Arrival((LISTED,))])
@example(in_runs(answer_with_row(DAYS[0], 1, {"share_count": 2}), LATE))
@example(in_runs(NAMED, LISTED))  # no late one, but another dataset has named the article since
@example(runs_of_two_days(DAYS[0], DAYS[1]))
@example(runs_of_two_days(DAYS[1], DAYS[0]))
def test_any_way_of_loading_gives_the_same_tables(
    warehouse: Engine, arriving: list[Arrival]
) -> None:
    """
    The facts as of an instant are those of that instant (0025).

    The stored account days are those of a complete computation after each load.

    Importing all answers again rewrites no row of the facts. A replay changes nothing, and restores
    a fact that was truncated.
    """
    empty(warehouse)
    know(warehouse, *ACCOUNTS)
    datasets, seen = {answer.dataset for answer in all_answers(arriving)}, []
    for arrival in arriving:
        take(warehouse, arrival)
        seen.append((tick(), without_days(facts(warehouse, *datasets))))
        assert wrong_account_days(warehouse) == set()
    known = expected_tables([arrival.answers for arrival in arriving[:-1]])
    assert differences(held(warehouse), known) == []
    assert rows(warehouse, ODDLY_READY) == []
    then = [without_days(facts(warehouse, *datasets, instant=instant)) for instant, _ in seen]
    assert then == [held_then for _, held_then in seen]
    tables = (*(dataset.fact for dataset in datasets), "fact_history")
    before = contents(warehouse, *tables, versions=True)

    import_(warehouse, all_answers(arriving))
    assert wrong_account_days(warehouse) == set()
    for dataset, day in itertools.product(datasets, (None, DAYS[1])):
        slices = select_slices(warehouse, dataset, (), day, day)
        assert not replay(warehouse, dataset, slices, ready_hour=10, now=tick).changes

    assert contents(warehouse, *tables, versions=True) == before
    for dataset in datasets:
        execute(warehouse, f"TRUNCATE weixin.{dataset.fact}")
        replay(warehouse, dataset, select_slices(warehouse, dataset, ()), ready_hour=10)
    assert wrong_account_days(warehouse) == set()
    assert differences(held(warehouse), known) == []
