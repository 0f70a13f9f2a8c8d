"""Any order, repetition, kill, by runs or imports: the tables of `world/truth.py` (0004, 0019)."""

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
from support.warehouse_loads import SCHEDULED, at, contents, import_lines, know, line, staged
from world.truth import Answer, Facts, differences, expected_tables, facts, held
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
"""Messages that all days may list; as WeChat would, with each of its rows and attributes."""
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
    """Of an answer; of a statistics day with a row each, of articles that may be listed too."""
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
    """Fetched in a minute of one of three mornings; no two have the same bytes."""
    fetched_at = at("22 10:00") + timedelta(days=minute // 7, minutes=minute % 7)
    listed = [
        item(
            dataset,
            day,
            name(dataset, day, message),
            {day.replace(day=on): row for on, row in its_rows.items() if on >= day.day},
            **attributes,
        )
        for message, attributes, its_rows in drawn
    ]
    body = json.dumps({"list": listed, "told_at": str(fetched_at)}).encode()
    return Answer(appid, dataset, day, fetched_at, body)


def name(dataset: Dataset, day: date, message: str) -> str | int:
    """A channel's, or an article's; one that is of one day alone has the day in it."""
    if dataset.item and dataset.item.is_number:
        return int(message)
    return f"{message}_1" if message in MOVED else f"{day:%d}0{message}_1"


def mostly(first: Any, *other_values: Any) -> st.SearchStrategy[Any]:
    """Answers of one pair are what the property is about."""
    return st.sampled_from([*[first] * 4, *other_values])


@st.composite
def answers(draw: st.DrawFn) -> list[Answer]:
    """
    Of two accounts, two datasets and three days, all of them ready.

    None is empty: whether one of those says anything is a rule of its own. No two are the same.
    """
    minutes = draw(st.lists(st.integers(0, 20), min_size=2, max_size=6, unique=True))
    of_articles = [(ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL)] * len(OF_STATISTICS)
    datasets, told = draw(st.sampled_from([*of_articles, *OF_STATISTICS])), []
    for minute in sorted(minutes):
        pair = draw(mostly(*ACCOUNTS)), draw(mostly(*datasets)), draw(mostly(*DAYS))
        told.append(answer(*pair, minute, draw(items(*pair[1:]))))
    return told


# -------------------------------------------------------------------------------- how they come


@dataclass(frozen=True)
class Arrival:
    """How answers come in: by a run, in a chunk of each account, or as a file."""

    answers: tuple[Answer, ...]
    is_imported: bool = False
    killed_at: int = 0
    """The commit right before which it is killed, and then done again; 0 for none."""


@st.composite
def any_way(draw: st.DrawFn) -> list[Arrival]:
    """Answers, and arrivals of them in any order, the last of them a second time."""
    arriving = draw(st.permutations(draw(answers())))
    cut: list[Arrival] = []
    while arriving:
        count = draw(st.integers(1, 3))
        taken, arriving = tuple(arriving[:count]), arriving[count:]
        is_run = draw(st.booleans()) and may_be_a_runs(taken)
        cut.append(Arrival(taken, not is_run, draw(st.integers(0, 3))))
    return [*cut, replace(draw(st.sampled_from(cut)), is_imported=True)]


def told(arrivals: Iterable[Arrival]) -> list[Answer]:
    """All of their answers."""
    return [answer for arrival in arrivals for answer in arrival.answers]


def may_be_a_runs(taken: Sequence[Answer]) -> bool:
    """Return whether one commit of a run can hold these answers: of one dataset, a pair once."""
    is_once = len({answer.slice for answer in taken}) == len(taken)
    return is_once and len({answer.dataset for answer in taken}) == 1


class Killed(BaseException):
    """The process is gone."""


seconds = itertools.count()


def tick() -> datetime:
    """The clock: no two commits are at one time."""
    return at("24 10:30") + timedelta(seconds=next(seconds))


def take(warehouse: Engine, arrival: Arrival) -> None:
    """Load or import; after a kill once more."""
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
    """One commit of a run: a chunk an account."""
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
    """A line each, in their order."""
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
    """A run each, and the last again."""
    arrivals = [Arrival((answer,)) for answer in answers_of_runs]
    return [*arrivals, arrivals[-1]]


def of_row(day: date, minute: int, row: dict[str, Any], message: str = "1", **keys: str) -> Answer:
    """Return an answer with one row of one message."""
    return answer("wx1", ARTICLE_TOTAL, day, minute, [(message, keys, {20: row})])


def of_one_row(*versions: dict[str, Any]) -> list[Arrival]:
    """A row as runs have it."""
    return in_runs(*(of_row(DAYS[0], minute, row) for minute, row in enumerate(versions)))


def of_two_days(late_day: date, *other_days: date) -> list[Arrival]:
    """Return runs, the last with a late answer of a day and the newest of the others: one row."""
    first = of_row(DAYS[0], 0, {"share_count": 0}, "3", title="甲", url="甲")
    since = of_row(late_day, 5, {}, "4", title="甲", url="甲")
    late = of_row(late_day, 3, {"share_count": 1}, "3", title="乙", url="乙")
    newest = [of_row(day, 6, {"share_count": 2}, "3", title="丙", url="丙") for day in other_days]
    both = Arrival((late, *newest))
    return [*in_runs(first, since)[:2], both, both]


LISTED = answer("wx1", ARTICLE_TOTAL_DETAIL, DAYS[0], 0, [("3", {"title": "甲"}, {20: {}})])
READ = answer("wx1", ARTICLE_READ, DAYS[1], 1, [("3", {}, {20: {"read_user": 1}})])
LATE = of_row(DAYS[0], 0, {"share_count": 1, "share_user": 1})
NAMED = answer("wx1", ARTICLE_TOTAL, DAYS[0], 1, [("3", {"title": "乙"}, {20: {}})])
ROWS: list[Drawn] = [("3", {}, {19: {"share_count": 0}, 21: {"share_count": 1}})]
BOTH = Arrival(tuple(answer("wx1", ARTICLE_TOTAL, DAYS[n], n, ROWS) for n in (0, 1)))
ODDLY_READY = (
    "SELECT 1 FROM weixin.coverage WHERE dataset LIKE 'article_total%' AND (settled IS NOT NULL "
    "OR (ready_at, ready_at, error_kind) IS DISTINCT FROM (attempted_at, fetched_at, NULL))"
)
"""Coverage of a publication day that is not as after a ready answer alone."""


def without_days(of: Facts) -> Facts:
    """As of an instant an article has the publication day that it has now."""
    return {(*key[:3], key[4]): figures for key, figures in of.items()}


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(any_way())
@example(of_one_row({"share_count": 1}, {"share_count": 2}))
@example(of_one_row({"share_count": 1, "share_user": 2, "new_a": 1}, {"share_count": None}))
@example(of_one_row({"share_count": 1, "share_user": ODD}, {"share_user": 2}))
@example([BOTH, BOTH])  # days that were never loaded list one article
@example(in_runs(LISTED, READ))  # a day on which it is read is no publication day of it (0044)
@example([*in_runs(READ), Arrival((LISTED,), is_imported=True), Arrival((LISTED,))])
@example(in_runs(of_row(DAYS[0], 1, {"share_count": 2}), LATE))
@example(in_runs(NAMED, LISTED))  # no late one, but another dataset has named the article since
@example(of_two_days(DAYS[0], DAYS[1]))
@example(of_two_days(DAYS[1], DAYS[0]))
def test_any_way_of_loading_gives_the_same_tables(
    warehouse: Engine, arriving: list[Arrival]
) -> None:
    """
    Facts, history, articles, sightings, open parts and coverage are what the answers say.

    As of an instant the facts are what they were then (0025). All of it once more rewrites no row
    of the facts and replaces none. A replay finds nothing to change, and makes of a wiped fact the
    same one again.
    """
    empty(warehouse)
    know(warehouse, *ACCOUNTS)
    datasets, seen = {answer.dataset for answer in told(arriving)}, []
    for arrival in arriving:
        take(warehouse, arrival)
        seen.append((tick(), without_days(facts(warehouse, *datasets))))
    known = expected_tables([arrival.answers for arrival in arriving[:-1]])
    assert differences(held(warehouse), known) == []
    assert rows(warehouse, ODDLY_READY) == []
    then = [without_days(facts(warehouse, *datasets, instant=instant)) for instant, _ in seen]
    assert then == [held_then for _, held_then in seen]
    tables = (*(dataset.fact for dataset in datasets), "fact_history")
    before = contents(warehouse, *tables, versions=True)

    import_(warehouse, told(arriving))
    for dataset, day in itertools.product(datasets, (None, DAYS[1])):
        pairs = select_slices(warehouse, dataset, (), day, day)
        assert not replay(warehouse, dataset, pairs, ready_hour=10, now=tick).changes

    assert contents(warehouse, *tables, versions=True) == before
    for dataset in datasets:
        execute(warehouse, f"TRUNCATE weixin.{dataset.fact}")
        replay(warehouse, dataset, select_slices(warehouse, dataset, ()), ready_hour=10)
    assert differences(held(warehouse), known) == []
