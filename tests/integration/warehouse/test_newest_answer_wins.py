"""
Any order of arrival, any repetition, any overlap of loads: the fact that rules 4 and 5 describe.

`expected` is that description: of each field the last non-null value, answers taken in the order
they were fetched; of those of one day in Beijing, the later publication day's are newer. An
article's publication day is the newest answer's. `expected_open` says which values do not fit and
were not given since. Every example has accounts of its own, so none needs an empty warehouse.
"""

import itertools
import operator
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from support import stale_rollups
from warehouse_loads import SCHEDULED, article, at, body, know, pair, rows

from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import Diff, Replayed, replay
from weixin_etl.load import Load
from weixin_etl.model import Account

DAYS = [date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 21)]
METRICS = ("int_page_read_count", "share_count")
ODD = "odd"
"""A value that does not fit."""
ATTRIBUTES = ("title", "url")
ARTICLE_COLUMNS = ("msgid", *ATTRIBUTES, "first", "last")
numbers = itertools.count()

many = settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""The fixture's warehouse is shared by the examples on purpose."""
FACTS = """
    SELECT appid, to_jsonb(fact) - 'changed_at' - 'loaded_at'
    FROM weixin.fact_article_total AS fact
    WHERE appid = ANY(:appids) ORDER BY appid, msgid, stat_date
"""


@dataclass(frozen=True)
class Given:
    """An answer of one account for one publication day."""

    appid: int
    day: date
    fetched_at: datetime
    items: tuple[dict[str, Any], ...]

    @property
    def place(self) -> tuple[int, date]:
        return self.appid, self.day

    @property
    def age(self) -> tuple[date, date, datetime]:
        """What answers are ordered by."""
        return self.fetched_at.date(), self.day, self.fetched_at


figures = st.builds(
    operator.or_,
    st.dictionaries(
        st.sampled_from([*METRICS, "new_a", "new_b"]), st.none() | st.integers(0, 2), max_size=4
    ),
    st.dictionaries(st.sampled_from(METRICS), st.just(ODD), max_size=1),
)
items = st.builds(
    lambda message, rows_, keys: article(f"{message}", rows_, **keys),
    st.sampled_from(["1", "2", "3"]),
    st.dictionaries(st.sampled_from(["21", "22"]), figures, max_size=2),
    st.dictionaries(
        st.sampled_from([*ATTRIBUTES, "new_key"]), st.none() | st.sampled_from(["甲", "乙"])
    ),
)


def of_day(day: date, item: dict[str, Any]) -> dict[str, Any]:
    """The item under a msgid of its publication day; message 3 is one that any day may list."""
    message = item["msgid"] if item["msgid"] == "3" else f"{day:%d}0{item['msgid']}"
    return {**item, "msgid": f"{message}_1"}


def answers() -> st.SearchStrategy[list[Given]]:
    """Answers of two accounts and three days, fetched in minutes of three mornings."""

    def build(drawn: list[tuple[int, tuple[int, date, list[dict[str, Any]]]]]) -> list[Given]:
        return [
            Given(
                appid,
                day,
                at("23 08:00") + timedelta(days=minute // 7, minutes=minute % 7),
                tuple(of_day(day, item) for item in its_items),
            )
            for minute, (appid, day, its_items) in drawn
        ]

    answer = st.tuples(st.integers(0, 1), st.sampled_from(DAYS), st.lists(items, max_size=3))
    minutes = st.lists(st.integers(0, 20), min_size=1, max_size=5, unique=True)
    return (
        minutes.flatmap(
            lambda chosen: st.tuples(*(st.tuples(st.just(minute), answer) for minute in chosen))
        )
        .map(list)
        .map(build)
    )


def expected(answers_in_order: Iterable[Given]) -> tuple[dict, dict]:
    """Facts and articles: the last non-null value of each field, in the order of age."""
    facts: dict[tuple, dict[str, Any]] = {}
    articles: dict[tuple, dict[str, Any]] = {}
    for answer in sorted(answers_in_order, key=lambda it: it.age):
        for item in answer.items:
            seen_at = answer.fetched_at
            known = articles.setdefault(
                (answer.appid, item["msgid"]), {"first": seen_at, "last": seen_at}
            )
            known["first"], known["last"] = (
                min(known["first"], seen_at),
                max(known["last"], seen_at),
            )
            known["day"] = answer.day
            known |= {k: v for k, v in item.items() if v is not None and k != "details"}
            for row in item["details"]:
                stat_date = date.fromisoformat(row["stat_date"])
                fact = facts.setdefault((answer.appid, item["msgid"], stat_date), {})
                fact |= {k: v for k, v in row.items() if v not in (None, ODD) and k != "stat_date"}
    for (appid, msgid, _), fact in facts.items():
        fact["day"] = articles[appid, msgid]["day"]
    return facts, articles


def expected_open(answers_in_order: Iterable[Given]) -> set[tuple]:
    """Values that do not fit, less those that a later answer gave, in the order of age as well."""
    found: set[tuple] = set()
    for answer in sorted(answers_in_order, key=lambda it: it.age):
        values = [
            ((answer.appid, item["msgid"], date.fromisoformat(row["stat_date"]), metric), value)
            for item in answer.items
            for row in item["details"]
            for metric in METRICS
            if (value := row.get(metric)) is not None
        ]
        found -= {key for key, value in values if value != ODD}
        found |= {key for key, value in values if value == ODD}
    return found


class Loaded:
    """The accounts of an example in the warehouse."""

    def __init__(self, warehouse: Engine) -> None:
        example = next(numbers)
        self.warehouse = warehouse
        self.accounts = [
            Account(f"weixin_{number}", f"wx{example}_{number}", "secret", f"号{number}")
            for number in range(2)
        ]
        know(warehouse, *(account.appid for account in self.accounts))

    def commit(self, answers_of_commit: Iterable[Given]) -> None:
        """One commit, whichever accounts the answers are of."""
        outcomes = [
            replace(
                pair(body(*answer.items, day=answer.day), answer.fetched_at, day=answer.day),
                account=self.accounts[answer.appid],
            )
            for answer in answers_of_commit
        ]
        load = Load(self.warehouse, SCHEDULED, ready_hour=10)
        load.commit(outcomes, complete={it.account.appid for it in outcomes})

    def replay(self) -> Replayed:
        """Rebuild the accounts' facts from the kept answers."""
        appids = tuple(account.appid for account in self.accounts)
        selection = Selection(SCHEDULED.dataset, accounts=appids)
        return replay(self.warehouse, selection, ready_hour=10, is_applied=True)

    def rows(self, sql: str) -> list[tuple]:
        appids = [account.appid for account in self.accounts]
        found = rows(self.warehouse, sql, appids=appids)
        return [(appids.index(appid), *others) for appid, *others in found]

    def held(self) -> tuple[dict, dict]:
        """Facts and articles, in the terms of `expected`."""
        facts = {
            (appid, msgid, stat_date): _given(day, zip(METRICS, metrics, strict=True), extra)
            for appid, msgid, stat_date, day, extra, *metrics in self.rows(
                "SELECT appid, msgid, stat_date, publication_date, extra, "
                "int_page_read_count, share_count "
                "FROM weixin.fact_article_total WHERE appid = ANY(:appids)"
            )
        }
        articles = {
            (appid, article["msgid"]): _given(day, article.items(), extra)
            for appid, day, extra, article in (
                (appid, day, extra, dict(zip(ARTICLE_COLUMNS, values, strict=True)))
                for appid, day, extra, *values in self.rows(
                    "SELECT dim.appid, dim.publication_date, dim.extra, dim.msgid, dim.title, "
                    "dim.url, dim.first_seen_at, article.last_seen_at "
                    "FROM weixin.dim_article AS dim INNER JOIN analytics.article_listed AS article "
                    "USING (appid, msgid) WHERE appid = ANY(:appids)"
                )
            )
        }
        return facts, articles

    def open(self) -> set[tuple]:
        """The rejected values that are not resolved, in the terms of `expected_open`."""
        return set(
            self.rows(
                "SELECT appid, msgid, stat_date, metric FROM weixin.rejected_row "
                "WHERE resolved_at IS NULL AND appid = ANY(:appids)"
            )
        )

    def versions(self) -> list[tuple]:
        """Each row of the fact with the transaction that wrote it, and each that it replaced."""
        return self.rows(
            "SELECT appid, msgid, stat_date, xmin::text, changed_at, fetched_at, raw_response_id "
            "FROM weixin.fact_article_total WHERE appid = ANY(:appids) ORDER BY 1, 2, 3"
        ) + self.rows(
            "SELECT appid, msgid, stat_date, history_id, replaced_at, xmin::text "
            "FROM weixin.fact_article_total_history WHERE appid = ANY(:appids) ORDER BY 1, 2, 3, 4"
        )


def _given(day: date, values: Iterable[tuple[str, Any]], extra: dict | None) -> dict[str, Any]:
    return {"day": day, **{k: v for k, v in values if v is not None}, **(extra or {})}


def commits(draw: st.DrawFn, arrivals: list[Given]) -> list[list[Given]]:
    """The arrivals cut into commits; one holds a pair at most once."""
    cut: list[list[Given]] = [[]]
    for answer in arrivals:
        is_there = any(answer.place == other.place for other in cut[-1])
        if is_there or draw(st.sampled_from([False, False, True])):
            cut.append([])
        cut[-1].append(answer)
    return cut


@st.composite
def any_way(draw: st.DrawFn) -> tuple[list[Given], list[list[Given]]]:
    """Answers fetched one after another, and commits of them in any order, some repeated."""
    fetched = draw(answers())
    repeated = draw(st.lists(st.sampled_from(fetched), max_size=1))
    arrivals = draw(st.permutations([*fetched, *repeated]))
    return sorted(fetched, key=lambda answer: answer.fetched_at), commits(draw, arrivals)


@many
@given(any_way())
def test_any_way_of_loading_gives_the_same_fact(
    warehouse: Engine, case: tuple[list[Given], list[list[Given]]]
):
    """
    However answers arrive, the last non-null value fetched of each field is what stands.

    What does not fit is open until a value is fetched that does. After every commit the rollups
    hold what they would if they were worked out anew. The same answers once more rewrite no row of
    the fact and restate no figure. A replay finds nothing to change, and makes of a wiped fact the
    same one again.
    """
    in_order, arriving = case
    loaded = Loaded(warehouse)
    stands = expected(in_order), expected_open(in_order)
    for commit in arriving:
        loaded.commit(commit)
        assert stale_rollups(warehouse, [it.appid for it in loaded.accounts]) == []
    assert (loaded.held(), loaded.open()) == stands
    before, facts = loaded.versions(), loaded.rows(FACTS)

    for commit in arriving:
        loaded.commit(commit)
    replayed = loaded.replay()

    assert loaded.versions() == before
    assert (loaded.held(), loaded.open()) == stands
    assert (replayed.diff, replayed.coverage) == (Diff(), 0)
    with warehouse.begin() as connection:
        connection.exec_driver_sql("TRUNCATE weixin.fact_article_total")
    loaded.replay()
    assert loaded.rows(FACTS) == facts
    assert stale_rollups(warehouse, [it.appid for it in loaded.accounts]) == []
