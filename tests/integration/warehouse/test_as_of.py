"""As of an instant: the functions `analytics.…_as_of` have what was there then, row for row."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from warehouse_loads import SCHEDULED, article, at, body, know, pair

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, Dataset
from weixin_etl.kept.answers import Selection
from weixin_etl.kept.replay import replay
from weixin_etl.load import Load, rebuild
from weixin_etl.model import Account
from weixin_etl.parse import parse

DAYS = [date(2026, 11, 20), date(2026, 11, 21)]
MINUTE = timedelta(minutes=1)
ATTRIBUTION = ("raw_response_id", "fetched_at")
"""The answer that a row's values are from. Another can take its place without a change of values,
when one that is older comes late: no history is kept of that."""
ALWAYS_NEW = ("publication_date",)
"""An article has the publication day that it has now."""
VIEWS = {
    "article_day": {"day_number", "days_spanned"},
    "account_day": {"articles_reported", "most_days_spanned"},
}
"""Those with a function of an instant, each with what follows from the publication day."""
numbers = itertools.count()

Item = dict[str, Any]
Rows = Mapping[tuple[str | None, date], Mapping[str, Any]]


@dataclass(frozen=True)
class Loading:
    """An answer that is loaded when the clock shows `loaded_at`."""

    loaded_at: datetime
    fetched_at: datetime
    day: date
    items: tuple[Item, ...]
    refetch: bool


@dataclass(frozen=True)
class Replaying:
    """A replay, maybe of a parser that does not read one of the figures as it did."""

    loaded_at: datetime
    reads_otherwise: bool


Event = Loading | Replaying

counts = st.none() | st.integers(0, 2)
lists = st.none() | st.sampled_from(
    [[{"scene_desc": "全部", "user_count": 1}], [{"scene_desc": "全部", "user_count": 2}], []]
)
FIGURES = {
    ARTICLE_TOTAL: {"share_count": counts, "share_user": counts, "new_a": counts},
    ARTICLE_TOTAL_DETAIL: {
        "share_user": counts,
        "read_finish_rate": st.none() | st.sampled_from([0.25, 0.5]),
        "read_user_source": lists,
        "new_a": counts,
    },
}
READ_OTHERWISE = {ARTICLE_TOTAL: b'"share_count"', ARTICLE_TOTAL_DETAIL: b'"read_user_source"'}
SHARED = "9_1"
"""An article that both days' answers may list: then one commit may change a row twice."""


def items(dataset: Dataset, day: date) -> st.SearchStrategy[Item]:
    """An article with up to two rows, each with any of the figures, or without."""
    own = [f"{day:%d}0_{place}" for place in (1, 2)]
    figures = st.fixed_dictionaries({}, optional=FIGURES[dataset])
    return st.builds(
        article,
        st.sampled_from([*own, SHARED]),
        st.dictionaries(st.sampled_from(["21", "22"]), figures, max_size=2),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[Dataset, list[Event]]:
    """
    What is loaded, one after the other.

    Half of them in the order in which it was fetched; the others with late answers and identical
    ones, refetches, replays in between. The clock may stand still and go back.
    """
    dataset = draw(st.sampled_from([*FIGURES]))
    in_order = draw(st.booleans())
    events: list[Event] = []
    clock = at("24 10:30")
    for number in range(draw(st.integers(1, 6))):
        clock += draw(st.sampled_from([1, 1, 1, 1, 0, -1, -3])) * MINUTE
        loadings = [event for event in events if isinstance(event, Loading)]
        kinds = ["new"] if in_order else ["new", "new", "new", "same", "replay"]
        kind = draw(st.sampled_from(kinds))
        if kind == "replay":
            events.append(Replaying(clock, draw(st.booleans())))
            continue
        minute = number if in_order else draw(st.integers(0, 6))
        fetched_at = at("23 10:00") + minute * MINUTE
        if kind == "same" and loadings:
            known = draw(st.sampled_from(loadings))
            again = replace(known, loaded_at=clock, refetch=draw(st.booleans()))
            events.append(
                replace(again, fetched_at=draw(st.sampled_from([known.fetched_at, fetched_at])))
            )
            continue
        day = draw(st.sampled_from(DAYS))
        drawn = draw(st.lists(items(dataset, day), max_size=3))
        events.append(Loading(clock, fetched_at, day, tuple(drawn), refetch=draw(st.booleans())))
    return dataset, events


class Loaded:
    """An account of an example."""

    def __init__(self, warehouse: Engine, dataset: Dataset) -> None:
        number = next(numbers)
        self.warehouse = warehouse
        self.dataset = dataset
        self.account = Account(f"weixin_{number}", f"as_of_{number}", "secret", f"号{number}")
        know(warehouse, self.account.appid)

    def take(self, event: Event) -> None:
        """Let it happen."""
        if isinstance(event, Replaying):
            self.replay(event)
            return
        rows_key = self.dataset.rows_key
        answer = body(*event.items, day=event.day, rows_key=rows_key)
        came = pair(answer, event.fetched_at, event.day, self.dataset)
        run = replace(SCHEDULED, dataset=self.dataset, refetch=event.refetch)
        load = Load(self.warehouse, run, ready_hour=10, now=lambda: event.loaded_at)
        load.commit([replace(came, account=self.account)], complete={self.account.appid})

    def replay(self, event: Replaying) -> None:
        name = READ_OTHERWISE[self.dataset]
        other = b'"other_' + name[1:] if event.reads_otherwise else name

        def read(dataset: Dataset, answer: bytes, *of_pair: Any) -> Any:
            return parse(dataset, answer.replace(name, other), *of_pair)

        with mock.patch.object(rebuild, "parse", read):
            replay(
                self.warehouse,
                Selection(self.dataset, accounts=(self.account.appid,)),
                ready_hour=10,
                is_applied=True,
                now=lambda: event.loaded_at,
            )

    def fact(self) -> Rows:
        """The fact's rows."""
        return self._rows(f"weixin.{self.dataset.fact}")

    def as_of(self, instant: datetime) -> Rows:
        """The fact's rows as they stood at the instant, each once."""
        return self._rows(f"analytics.{self.dataset.name}_as_of(:instant)", instant=instant)

    def views(self) -> Mapping[str, Rows]:
        """What analysts see of each day that has rows."""
        return {view: self._rows(f"analytics.{view}{self.dataset.suffix}") for view in VIEWS}

    def view_as_of(self, view: str, instant: datetime) -> Rows:
        """What they saw at the instant, but whether it was final or complete."""
        relation = f"analytics.{view}{self.dataset.suffix}_as_of(:instant)"
        return self._rows(relation, instant=instant)

    def _rows(self, relation: str, **values: Any) -> Rows:
        sql = text(f"SELECT * FROM {relation} WHERE appid = :appid")  # noqa: S608 # the dataset's
        with self.warehouse.connect() as connection:
            found = connection.execute(sql, {"appid": self.account.appid, **values})
            rows = [dict(row) for row in found.mappings()]
        rows = [row for row in rows if row.get("most_days_spanned", 1) is not None]
        by_key = {
            (row.get("msgid"), row.get("stat_date") or row["calendar_date"]): row for row in rows
        }
        assert len(by_key) == len(rows)
        return by_key


def instants(events: Sequence[Event]) -> list[datetime]:
    """Those at which something was loaded, those between, and one before and after all."""
    loaded = {event.loaded_at for event in events}
    half = MINUTE / 2
    return sorted({it + step for it in loaded for step in (-half, 0 * MINUTE, half)})


def known_at(events: Sequence[Event], instant: datetime) -> int | None:
    """
    How many of the events had happened by then.

    None when the clock can't tell, as it went back: one that showed a later time came before one
    that had happened.
    """
    happened = [event.loaded_at <= instant for event in events]
    count = sum(happened)
    return count if all(happened[:count]) else None


def without(rows: Rows, columns: Iterable[str]) -> Rows:
    """The rows less some columns."""
    return {
        key: {name: value for name, value in row.items() if name not in columns}
        for key, row in rows.items()
    }


def keep_order(events: Sequence[Event]) -> bool:
    """
    Whether each is an answer that is newer than those before it: none puts another first.

    All are fetched on one day in Beijing: an answer for a later publication day is newer.
    """
    loadings = [event for event in events if isinstance(event, Loading)]
    fetched = [event.fetched_at for event in loadings]
    days = [event.day for event in loadings]
    return len(loadings) == len(events) and (
        (fetched, days) == (sorted(set(fetched)), sorted(days))
    )


def assert_follows(before: Rows, after: Rows) -> None:
    """No row is gone, was loaded at another time, or changed at an earlier one than before."""
    for key, row in before.items():
        assert after[key]["loaded_at"] == row["loaded_at"]
        assert after[key]["changed_at"] >= row["changed_at"]


FALLING = article("200_1", {"21": {"share_user": 2}, "22": {"share_user": 1}})
RISING = article("200_2", {it: {"share_user": int(it)} for it in ("21", "22", "27")})
BOTH = Loading(at("28 10:30"), at("28 10:00"), DAYS[0], (FALLING, RISING), refetch=False)
"""One article falls on a day, another one rises and has a row after its window, too."""

of_examples = settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Each example has an account of its own, so that none needs an empty warehouse."""


@of_examples
@given(histories())
@example((ARTICLE_TOTAL, [BOTH]))
def test_as_of_an_instant_is_the_fact_that_was_there(
    warehouse: Engine, history: tuple[Dataset, list[Event]]
):
    """
    Every figure of every row, whatever was loaded before and since, and whatever the clock did.

    So are the views of article days and account days that have a function of an instant.

    Also where the clock can't tell, a row is there once at most: its versions stand one after the
    other.
    """
    dataset, events = history
    loaded = Loaded(warehouse, dataset)
    seen = [loaded.fact()]
    views = [loaded.views()]
    for event in events:
        loaded.take(event)
        seen.append(loaded.fact())
        views.append(loaded.views())
        assert_follows(seen[-2], seen[-1])

    for instant in instants(events):
        found = loaded.as_of(instant)
        count = known_at(events, instant)
        if count is not None:
            left_out = ALWAYS_NEW if keep_order(events) else (*ALWAYS_NEW, *ATTRIBUTION)
            assert without(found, left_out) == without(seen[count], left_out)
            has_moved = any(
                row["publication_date"] != seen[count][key]["publication_date"]
                for key, row in found.items()
            )
            for view, of_place in VIEWS.items():
                shown = loaded.view_as_of(view, instant)
                told = {name for row in shown.values() for name in row}
                then = {
                    key: {name: value for name, value in row.items() if name in told}
                    for key, row in views[count][view].items()
                }
                not_told = {*left_out, *(of_place if has_moved else ())}
                assert without(shown, not_told) == without(then, not_told)
