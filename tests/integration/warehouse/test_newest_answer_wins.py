"""
Any order of arrival, any repetition, any kill, by runs or by imports: the tables of rules 4 and 5.

`truth` is that, worked out without the warehouse: of each field the last non-null value of the
answers in the order in which they were fetched; of an article that two publication days list,
what the later day gives. Every example has accounts of its own, so none needs an empty warehouse.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event
from warehouse_loads import SCHEDULED, article, at, body, know, pair, rows

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, DATASETS, Dataset
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay, selected
from weixin_etl.load import Load
from weixin_etl.model import Account

DAYS = [date(2026, 11, 19), date(2026, 11, 20)]
METRICS = ("share_count", "share_user")
ODD = "odd"
"""A value that does not fit."""
ATTRIBUTES = ("title", "url")
MOVED = "3"
"""The message that both days may list; as WeChat would, with each of its rows and attributes."""
numbers = itertools.count()

many = settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The fixture's warehouse is shared by the examples on purpose."""


@dataclass(frozen=True)
class Given:
    """An answer of one account for one day."""

    appid: int
    name: str
    """Of the dataset."""
    day: date
    fetched_at: datetime
    items: tuple[dict[str, Any], ...]

    @property
    def pair(self) -> tuple[int, str, date]:
        return self.appid, self.name, self.day

    @property
    def dataset(self) -> Dataset:
        return DATASETS[self.name]

    @property
    def body(self) -> bytes:
        """The bytes: no two answers have the same."""
        key, told = self.dataset.rows_key, str(self.fetched_at)
        return body(*self.items, day=self.day, rows_key=key, told_at=told)


@dataclass(frozen=True)
class Arrival:
    """How answers come in: by a run, in a chunk of each account, or as a file."""

    answers: tuple[Given, ...]
    is_imported: bool
    is_killed: bool
    """Whether it is killed right before its first commit, and done again."""


counts = st.none() | st.integers(0, 2)
figures = st.fixed_dictionaries(
    {}, optional={"share_count": counts, "share_user": counts, "new_a": counts}
) | st.fixed_dictionaries({"share_count": st.integers(0, 2), "share_user": st.just(ODD)})
keys = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*ATTRIBUTES, "new_key"), st.none() | st.sampled_from("甲乙"))
)
messages = st.tuples(
    st.sampled_from("12"), keys, st.dictionaries(st.sampled_from(["20", "21"]), figures, max_size=2)
)
of_moved = st.fixed_dictionaries(dict.fromkeys(METRICS, st.integers(0, 2)))
moved = st.tuples(
    st.just(MOVED),
    st.fixed_dictionaries(dict.fromkeys(ATTRIBUTES, st.sampled_from("甲乙"))),
    st.fixed_dictionaries(dict.fromkeys(["19", "20", "21"], of_moved)),
)


def item(day: date, drawn: tuple[str, dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """An article of the day; the one that both may list has a row of each day since."""
    message, attributes, its_rows = drawn
    if message == MOVED:
        its_rows = {stat: row for stat, row in its_rows.items() if int(stat) >= day.day}
    msgid = f"{MOVED}_1" if message == MOVED else f"{day:%d}0{message}_1"
    return article(msgid, its_rows, **attributes)


@st.composite
def answers(draw: st.DrawFn) -> list[Given]:
    """
    Of two accounts, datasets and days, fetched in minutes of three mornings, all of them ready.

    None is empty: whether one of those says anything is a rule of its own.
    """
    minutes = draw(st.lists(st.integers(0, 20), min_size=1, max_size=6, unique=True))
    given_ = []
    for minute in sorted(minutes):
        day = draw(st.sampled_from(DAYS))
        items = draw(st.lists(messages | moved, min_size=1, max_size=3))
        given_.append(
            Given(
                draw(st.integers(0, 1)),
                draw(st.sampled_from(["article_total", "article_total", "article_total_detail"])),
                day,
                at("22 10:00") + timedelta(days=minute // 7, minutes=minute % 7),
                tuple(item(day, drawn) for drawn in items),
            )
        )
    return given_


@st.composite
def any_way(draw: st.DrawFn) -> tuple[list[Given], list[Arrival]]:
    """
    Answers, and arrivals of them in any order, one repeated.

    A run has only what is newer than all that came before of the pair and its article.
    """
    fetched = draw(answers())
    arriving = draw(st.permutations(fetched))
    cut: list[Arrival] = []
    while arriving:
        count = draw(st.integers(1, 3))
        taken, arriving = arriving[:count], arriving[count:]
        came = [it for arrival in cut for it in arrival.answers]
        is_run = draw(st.booleans()) and may_be_a_runs(taken, came)
        cut.append(Arrival(tuple(taken), not is_run, draw(st.booleans())))
    again = replace(draw(st.sampled_from(cut)), is_imported=True)
    return fetched, [*cut, again]


def may_be_a_runs(taken: Sequence[Given], came: Iterable[Given]) -> bool:
    """Whether one commit of a run can hold these, after those that came before."""
    is_one_dataset = len({it.name for it in taken}) == 1
    is_once = len({it.pair for it in taken}) == len(taken)
    before = [(it.appid, it.fetched_at) for it in came]
    is_newer = all(
        it.fetched_at > fetched_at
        for it in taken
        for appid, fetched_at in before
        if appid == it.appid
    )
    return is_one_dataset and is_once and is_newer


# --------------------------------------------------------------------------------------- the truth


@dataclass
class Tables:
    """What the tables hold, in plain terms."""

    facts: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    """By account, dataset, msgid and stat_date: the publication day and the figures."""
    articles: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)
    """By account and msgid."""
    unlisted: dict[tuple[Any, ...], datetime | None] = field(default_factory=dict)
    """By account, dataset and msgid: since when; not of an article that both days list."""
    open: set[tuple[Any, ...]] = field(default_factory=set)
    """Rejected parts that are open: account, dataset, msgid, stat_date."""
    coverage: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)
    """By account, dataset and day: see `of_coverage`."""


def truth(fetched: Sequence[Given]) -> Tables:
    """The last non-null value of each field, in the order of days and fetching."""
    tables = Tables()
    days: defaultdict[tuple[int, str], set[date]] = defaultdict(set)
    for it in fetched:
        for listed in it.items:
            days[it.appid, listed["msgid"]].add(it.day)
    own: defaultdict[tuple[Any, ...], dict[date, dict[str, Any]]] = defaultdict(dict)
    for it in fetched:
        for listed in it.items:
            msgid = listed["msgid"]
            key = it.appid, msgid
            known = tables.articles.setdefault(key, {"day": max(days[key]), "first": it.fetched_at})
            if it.day == known["day"] or msgid != f"{MOVED}_1":
                known |= given_values(listed, "details", "msgid")
            for row in listed["details"]:
                stat_date = date.fromisoformat(row["stat_date"])
                of_day = own[it.appid, it.name, msgid, stat_date].setdefault(it.day, {})
                of_day |= given_values(row, "stat_date")
    for key, by_day in own.items():
        day = tables.articles[key[0], key[2]]["day"]
        tables.facts[key] = {"day": day, **by_day[max(by_day)]}
    for newest in {it.pair: it for it in fetched}.values():
        of_pair(tables, newest, [it for it in fetched if it.pair == newest.pair], days)
    return tables


def given_values(said: dict[str, Any], *without: str) -> dict[str, Any]:
    """What is there and fits."""
    return {k: v for k, v in said.items() if v not in (None, ODD) and k not in without}


def of_pair(
    tables: Tables,
    newest: Given,
    fetched: Sequence[Given],
    days: dict[tuple[int, str], set[date]],
) -> None:
    """What is said of a pair by its answers, oldest first."""
    key = newest.appid, newest.name
    for it in fetched:
        listed = {item_["msgid"] for item_ in it.items}
        for msgid in listed:
            tables.unlisted[*key, msgid] = None
        for of_key, since in [*tables.unlisted.items()]:
            is_of_pair = of_key[:2] == key and days[key[0], of_key[2]] == {it.day}
            if is_of_pair and of_key[2] not in listed and since is None:
                tables.unlisted[of_key] = it.fetched_at
    for msgid in [f"{MOVED}_1"] if len(days[key[0], f"{MOVED}_1"]) > 1 else []:
        tables.unlisted.pop((*key, msgid), None)
    lines = [(item_["msgid"], row) for item_ in newest.items for row in item_["details"]]
    tables.open |= {
        (*key, msgid, date.fromisoformat(row["stat_date"]))
        for msgid, row in lines
        if row.get("share_user") == ODD
    }
    most = max(len({item_["msgid"] for item_ in it.items}) for it in fetched)
    count = len({(msgid, row["stat_date"]) for msgid, row in lines})
    tables.coverage[newest.pair] = (most, newest.fetched_at, count)


# ----------------------------------------------------------------------------------- the warehouse


class Killed(BaseException):
    """The process is gone."""


class Loaded:
    """The accounts of an example in the warehouse."""

    def __init__(self, warehouse: Engine, folder: Path) -> None:
        example = next(numbers)
        self.warehouse = warehouse
        self.file = folder / "answers.jsonl"
        self.accounts = [
            Account(f"weixin_{number}", f"wx{example}_{number}", "secret", f"号{number}")
            for number in range(2)
        ]
        know(warehouse, *(account.appid for account in self.accounts))

    def take(self, arrival: Arrival) -> None:
        """Load or import; after a kill once more."""
        bring_in = self.import_ if arrival.is_imported else self.load
        if arrival.is_killed:
            event.listen(self.warehouse, "commit", kill)
            try:
                with pytest.raises(Killed):
                    bring_in(arrival.answers)
            finally:
                event.remove(self.warehouse, "commit", kill)
        bring_in(arrival.answers)

    def load(self, taken: Sequence[Given]) -> None:
        """One commit of a run: a chunk an account."""
        chunks = [
            [
                pair(it.body, it.fetched_at, it.day, it.dataset, self.accounts[it.appid])
                for it in of_account
            ]
            for number in range(2)
            if (of_account := [it for it in taken if it.appid == number])
        ]
        run = replace(SCHEDULED, dataset=taken[0].dataset)
        Load(self.warehouse, run, ready_hour=10).commit(chunks)

    def import_(self, taken: Sequence[Given]) -> None:
        """A line each, in their order."""
        lines = [
            {
                "appid": self.accounts[it.appid].appid,
                "dataset": it.name,
                "day": str(it.day),
                "fetched_at": it.fetched_at.isoformat(),
                "body": it.body.decode(),
            }
            for it in taken
        ]
        self.file.write_text("\n".join(map(json.dumps, lines)))
        import_files(self.warehouse, [self.file], ready_hour=10, commit_bytes=2000)

    def replay(self, dataset: Dataset) -> bool:
        """Make the accounts' facts anew of the kept answers; whether anything changed."""
        appids = tuple(account.appid for account in self.accounts)
        pairs = selected(self.warehouse, dataset, appids)
        return bool(replay(self.warehouse, dataset, pairs, ready_hour=10).changes)

    def rows(self, sql: str) -> list[tuple]:
        """What a query finds of the accounts: by the number of each, in the first column."""
        appids = [account.appid for account in self.accounts]
        return [
            (appids.index(appid), *others)
            for appid, *others in rows(self.warehouse, sql, appids=appids)
        ]

    def held(self) -> Tables:
        """The tables, in the terms of `truth`."""
        tables = Tables()
        for dataset in (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL):
            for appid, *key, day, extra, count, user in self.rows(
                "SELECT appid, msgid, stat_date, publication_date, extra, "  # noqa: S608 # declared
                f"{'share_count' if dataset is ARTICLE_TOTAL else 'NULL'}, share_user "
                f"FROM weixin.{dataset.fact} WHERE appid = ANY(:appids)"
            ):
                values = {"share_count": count, "share_user": user, **(extra or {})}
                tables.facts[appid, dataset.name, *key] = {"day": day, **given_values(values)}
        for appid, msgid, day, first, extra, *attributes in self.rows(
            "SELECT appid, msgid, publication_date, first_seen_at, extra, title, url "
            "FROM weixin.dim_article WHERE appid = ANY(:appids)"
        ):
            values = {**dict(zip(ATTRIBUTES, attributes, strict=True)), **(extra or {})}
            tables.articles[appid, msgid] = {"day": day, "first": first, **given_values(values)}
        listed = self.rows(
            "SELECT appid, said.key, msgid, cast(said.value AS timestamptz) "
            "FROM weixin.dim_article CROSS JOIN jsonb_each_text(unlisted_since) AS said "
            "WHERE appid = ANY(:appids)"
        )
        tables.unlisted = {key: since for *key_, since in listed if (key := tuple(key_))}
        tables.open = set(
            self.rows(
                "SELECT appid, dataset, msgid, stat_date FROM weixin.rejected_row "
                "WHERE resolved_at IS NULL AND appid = ANY(:appids)"
            )
        )
        tables.coverage = {
            (appid, dataset, day): (most, ready_at, count)
            for appid, dataset, day, most, ready_at, count in self.rows(
                "SELECT appid, dataset, day, article_count, ready_at, row_count "
                "FROM weixin.coverage WHERE appid = ANY(:appids) "
                "AND (ready_at, error_kind) IS NOT DISTINCT FROM (attempted_at, NULL) "
                "AND fetched_at = ready_at AND settled IS NULL"
            )
        }
        return tables

    def versions(self) -> list[tuple]:
        """Each row of the facts with the transaction that wrote it, and each that it replaced."""
        facts = (
            "SELECT appid, msgid, stat_date, xmin::text, changed_at, fetched_at, raw_response_id "  # noqa: S608 # declared
            f"FROM weixin.{dataset.fact} WHERE appid = ANY(:appids)"
            for dataset in (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL)
        )
        history = (
            "SELECT appid, item, stat_date, xmin::text, changed_at FROM weixin.fact_history "
            "WHERE appid = ANY(:appids)"
        )
        return sorted(found for sql in (*facts, history) for found in self.rows(sql))


def kill(_connection: Any) -> None:
    raise Killed


@many
@given(any_way())
def test_any_way_of_loading_gives_the_same_tables(
    warehouse: Engine, tmp_path: Path, case: tuple[list[Given], list[Arrival]]
):
    """
    Facts, articles, sightings, open parts and coverage are what the answers say, in their order.

    All of it once more rewrites no row of the facts and replaces none. A replay finds nothing to
    change, and makes of a wiped fact the same one again.
    """
    fetched, arriving = case
    loaded = Loaded(warehouse, tmp_path)
    known = truth(fetched)
    for arrival in arriving:
        loaded.take(arrival)
    assert differences(loaded.held(), known) == []
    before = loaded.versions()

    loaded.import_(fetched)
    assert not any([loaded.replay(ARTICLE_TOTAL), loaded.replay(ARTICLE_TOTAL_DETAIL)])

    assert loaded.versions() == before
    assert differences(loaded.held(), known) == []
    for dataset in (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL):
        with warehouse.begin() as connection:
            connection.exec_driver_sql(f"TRUNCATE weixin.{dataset.fact}")
        loaded.replay(dataset)
    assert differences(loaded.held(), known) == []


def differences(held: Tables, known: Tables) -> list[tuple[Any, ...]]:
    """What is held, and what should be; `truth` does not tell whether a moved article is listed."""
    found = []
    for name, of_known in vars(known).items():
        of_held = vars(held)[name]
        if isinstance(of_known, set):
            found += [(name, it) for it in of_held ^ of_known]
            continue
        keys_ = of_held.keys() | of_known.keys()
        if name == "unlisted":
            keys_ = {key for key in keys_ if key in of_known or key[2] != f"{MOVED}_1"}
        found += [
            (name, key, of_held.get(key), of_known.get(key))
            for key in keys_
            if key not in of_held or key not in of_known or of_held[key] != of_known[key]
        ]
    return found
