"""As of an instant: the functions `analytics.…_as_of` have what was there then, row for row."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from warehouse_loads import SCHEDULED, article, at, body, know, pair

from weixin_etl.datasets import ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, DATASETS, Dataset
from weixin_etl.kept.imported import import_files
from weixin_etl.kept.replay import replay, selected
from weixin_etl.load import Load, fold
from weixin_etl.model import Account
from weixin_etl.parse import parse

DAYS = [date(2026, 11, 20), date(2026, 11, 21)]
MINUTE = timedelta(minutes=1)
NOT_OLD = {"publication_date", "account_name", "title"}
"""An article has the publication day, and names, that it has now."""
NOT_KEPT = {"raw_response_id", "fetched_at"}
"""
The answer that a row's values are from. A fold, or a later day's answer, may name another one that
gives the same values: no history is kept of that.
"""
AS_OF = "SELECT * FROM analytics.{}_as_of(:instant) WHERE appid = :appid"
numbers = itertools.count()

Rows = Mapping[tuple[str, date], Mapping[str, Any]]


@dataclass(frozen=True)
class Event:
    """What happens when the clock shows `happens_at`."""

    happens_at: datetime
    kind: str
    """`load` and `refetch`: by a run; `import`; `replay` and, by another parser, `reparse`."""
    fetched_at: datetime
    day: date
    items: tuple[dict[str, Any], ...]


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
"""An article that both days' answers may list: one commit may then change a row twice."""


def items(dataset: Dataset, day: date) -> st.SearchStrategy[dict[str, Any]]:
    """An article with up to two rows, each with any of the figures, or without."""
    figures = st.fixed_dictionaries({}, optional=FIGURES[dataset])
    return st.builds(
        article,
        st.sampled_from([f"{day:%d}0_1", f"{day:%d}0_2", SHARED]),
        st.dictionaries(st.sampled_from(["21", "22"]), figures, max_size=2),
    )


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, list[Event]]:
    """
    What happens, one after the other; the clock may stand still and go back.

    Half of them are loads of runs alone, each newer than the one before.
    """
    dataset = draw(st.sampled_from([*FIGURES]))
    kinds = draw(st.sampled_from([["load"], ["load", "refetch", "import", "replay", "reparse"]]))
    events: list[Event] = []
    clock = at("24 10:30")
    for number in range(draw(st.integers(1, 6))):
        clock += draw(st.sampled_from([1, 1, 1, 1, 0, -1, -3])) * MINUTE
        kind = draw(st.sampled_from(kinds))
        minute = draw(st.integers(0, 30)) if kind == "import" else 5 * (number + 1)
        day = draw(st.sampled_from(DAYS))
        drawn = draw(st.lists(items(dataset, day), max_size=3))
        fetched_at = at("23 10:00") + minute * MINUTE
        events.append(Event(clock, kind, fetched_at, day, tuple(drawn)))
    return dataset.name, events


class Loaded:
    """An account of an example."""

    def __init__(self, warehouse: Engine, dataset: Dataset, folder: Path) -> None:
        number = next(numbers)
        self.warehouse = warehouse
        self.dataset = dataset
        self.file = folder / "answers.jsonl"
        self.account = Account(f"weixin_{number}", f"as_of_{number}", "secret", f"号{number}")
        know(warehouse, self.account.appid)

    def take(self, event: Event) -> None:
        """Let it happen."""
        happen = {"import": self.import_, "replay": self.replay, "reparse": self.replay}
        happen.get(event.kind, self.load)(event)

    def load(self, event: Event) -> None:
        came = pair(self.answer(event), event.fetched_at, event.day, self.dataset)
        run = replace(SCHEDULED, dataset=self.dataset, refetch=event.kind == "refetch")
        load = Load(self.warehouse, run, ready_hour=10, now=lambda: event.happens_at)
        load.commit([[replace(came, account=self.account)]])

    def answer(self, event: Event) -> bytes:
        return body(*event.items, day=event.day, rows_key=self.dataset.rows_key)

    def import_(self, event: Event) -> None:
        line = {
            "appid": self.account.appid,
            "dataset": self.dataset.name,
            "day": str(event.day),
            "fetched_at": event.fetched_at.isoformat(),
            "body": self.answer(event).decode(),
        }
        self.file.write_text(json.dumps(line))
        now = event.happens_at
        import_files(self.warehouse, [self.file], ready_hour=10, commit_bytes=1000, now=lambda: now)

    def replay(self, event: Event) -> None:
        name = READ_OTHERWISE[self.dataset]
        other = b'"other_' + name[1:] if event.kind == "reparse" else name

        def read(dataset: Dataset, answer: bytes, *of_pair: Any) -> Any:
            return parse(dataset, answer.replace(name, other), *of_pair)

        with mock.patch.object(fold, "parse", read):
            replay(
                self.warehouse,
                self.dataset,
                selected(self.warehouse, self.dataset, [self.account.appid]),
                ready_hour=10,
                now=lambda: event.happens_at,
            )

    def fact(self) -> Rows:
        """The fact's rows."""
        return self._rows(f"SELECT * FROM weixin.{self.dataset.fact} WHERE appid = :appid")

    def as_of(self, instant: datetime) -> Rows:
        """The fact's rows as they stood at the instant."""
        return self._rows(AS_OF.format(self.dataset.name), instant=instant)

    def _rows(self, sql: str, **values: Any) -> Rows:
        """By msgid and stat_date; each is there once."""
        with self.warehouse.connect() as connection:
            found = connection.execute(text(sql), {"appid": self.account.appid, **values})
            rows = [dict(row) for row in found.mappings()]
        by_key = {(row["msgid"], row["stat_date"]): row for row in rows}
        assert len(by_key) == len(rows)
        return by_key


def instants(events: Sequence[Event]) -> set[datetime]:
    """
    Those between all that happened, and those at which it did: no others can differ.

    Not the latter where the clock has stood still or gone back: then a version stands from the
    microsecond after the one before.
    """
    is_plain = all(one.happens_at < other.happens_at for one, other in itertools.pairwise(events))
    steps = (-1, 0, 1) if is_plain else (-1, 1)
    return {it.happens_at + step * MINUTE / 2 for it in events for step in steps}


def known_at(events: Sequence[Event], instant: datetime) -> int | None:
    """
    How many of the events had happened by then.

    None when the clock can't tell, as it went back: one that showed a later time came before one
    that had happened.
    """
    happened = [event.happens_at <= instant for event in events]
    count = sum(happened)
    return count if all(happened[:count]) else None


def without(rows: Rows, columns: set[str]) -> Rows:
    """The rows less some columns."""
    return {
        key: {name: value for name, value in row.items() if name not in columns}
        for key, row in rows.items()
    }


of_examples = settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
"""Each example has an account of its own, so that none needs an empty warehouse."""


@of_examples
@given(histories())
def test_as_of_an_instant_is_the_fact_that_was_there(
    warehouse: Engine, tmp_path: Path, history: tuple[str, list[Event]]
):
    """
    Every figure of every row, whatever happened before and since.

    Also where the clock can't tell, a row is there once at most: its versions stand one after the
    other, and none is gone.
    """
    name, events = history
    loaded = Loaded(warehouse, DATASETS[name], tmp_path)
    seen = [loaded.fact()]
    for event in events:
        loaded.take(event)
        seen.append(loaded.fact())
        assert seen[-2].keys() <= seen[-1].keys()
    of_shared = {it.day for it in events for listed in it.items if listed["msgid"] == SHARED}
    is_plain = {it.kind for it in events} == {"load"} and len(of_shared) < 2
    left_out = NOT_OLD if is_plain else NOT_OLD | NOT_KEPT

    for instant in instants(events):
        found = loaded.as_of(instant)
        count = known_at(events, instant)
        if count is not None:
            then, now = without(seen[count], left_out), without(found, left_out)
            assert {key: row for key, row in now.items() if then.get(key) != row} == {}
            assert now.keys() == then.keys()
