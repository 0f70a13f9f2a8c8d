"""Kept answers that nothing needs: what a prune deletes, and that nobody can tell afterwards."""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from warehouse_loads import (
    ACCOUNT,
    DAY,
    OTHER_ACCOUNT,
    SCHEDULED,
    article,
    at,
    body,
    contents,
    know,
    load_pairs,
    pair,
    rows,
)

from weixin_etl import cli
from weixin_etl.answers import Selection
from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.load import Load
from weixin_etl.model import Account
from weixin_etl.prune import Pruned, Size, Stay, prune
from weixin_etl.replay import replay
from weixin_etl.warehouse import WarehouseError, statement

ALL = Selection(ARTICLE_TOTAL)
OTHER_DAY = DAY + timedelta(days=1)
numbers = itertools.count()


def run(warehouse: Engine, selection: Selection = ALL, *, is_applied: bool = True) -> Pruned:
    return prune(warehouse, selection, is_applied=is_applied)


def rebuild(warehouse: Engine, selection: Selection = ALL) -> bool:
    """Replay and write; whether nothing changed."""
    return replay(warehouse, selection, ready_hour=10, is_applied=True).is_empty


# What no one can tell: two accounts live through the same, and the answers of one are pruned.


@dataclass(frozen=True)
class Loading:
    """An answer for a publication day: when it was fetched, in which order it is loaded."""

    day: date
    fetched_at: datetime
    answer: bytes


counts = st.none() | st.integers(0, 2)
figures = st.fixed_dictionaries(
    {}, optional={"share_count": counts, "share_user": counts, "new_a": counts}
)
odd = st.just({"share_count": -1})
texts = st.none() | st.sampled_from(["甲", "乙"])


@st.composite
def bodies(draw: st.DrawFn, day: date) -> bytes:
    """Articles with their rows, some that do not fit; now and then nothing that can be read."""
    if draw(st.integers(0, 12)) == 0:
        return draw(st.sampled_from([b"[]", b'{"list": 1}']))
    items = [
        article(
            msgid,
            draw(st.dictionaries(st.sampled_from(["21", "22"]), figures | figures | figures | odd)),
            **draw(st.fixed_dictionaries({}, optional={"title": texts, "new_key": texts})),
        )
        for msgid in draw(
            st.lists(st.sampled_from([f"{day:%d}0_1", f"{day:%d}0_2", "9_1"]), max_size=3)
        )
    ]
    return body(*items, day=day)


@st.composite
def loadings(draw: st.DrawFn) -> list[Loading]:
    """Answers of two days; some are fetched before others that are loaded earlier, or the same."""
    drawn: list[Loading] = []
    for number in range(draw(st.integers(2, 9))):
        minute = number if draw(st.booleans()) else draw(st.integers(0, 9))
        day = draw(st.sampled_from([DAY, DAY, DAY, OTHER_DAY]))
        of_day = [it.answer for it in drawn if it.day == day]
        again = of_day and draw(st.integers(0, 3)) == 0
        answer = draw(st.sampled_from(of_day) if again else bodies(day))
        drawn.append(Loading(day, at("23 10:00") + timedelta(minutes=minute), answer))
    return drawn


class Twin:
    """An account of an example."""

    def __init__(self, warehouse: Engine) -> None:
        number = next(numbers)
        self.warehouse = warehouse
        self.account = Account(f"weixin_{number}", f"twin_{number}", "secret", f"号{number}")
        self.selection = replace(ALL, accounts=(self.account.appid,))
        know(warehouse, self.account.appid)

    def load(self, loading: Loading) -> None:
        """One commit."""
        came = pair(loading.answer, loading.fetched_at, loading.day)
        load = Load(self.warehouse, SCHEDULED, ready_hour=10)
        load.commit([replace(came, account=self.account)], complete={self.account.appid})

    def wipe(self) -> None:
        """Delete what a replay makes anew."""
        with self.warehouse.begin() as connection:
            for table in ("fact_article_total", "dim_article", "article_sighting"):
                connection.exec_driver_sql(
                    f"DELETE FROM weixin.{table} WHERE appid = %s",  # noqa: S608 # these
                    (self.account.appid,),
                )

    def answers(self) -> list[int]:
        """The keys of its answers, as they were loaded."""
        found = self._rows("SELECT * FROM weixin.raw_response WHERE appid = :appid ORDER BY 1")
        return [row["raw_response_id"] for row in found]

    def seen(self, answers: Sequence[int]) -> dict[str, list[dict[str, Any]]]:
        """All there is to see, each answer by its place among these."""
        places = {number: place for place, number in enumerate(answers)}
        found = {
            relation: self._rows(f"SELECT * FROM {relation} WHERE appid = :appid")  # noqa: S608 # these
            for relation in SEEN
        }
        for row in itertools.chain(*found.values()):
            row.pop("conn_id", None)
            for name in ("appid", "account_name", "rejected_row_id", "history_id"):
                row.pop(name, None)
            if "raw_response_id" in row:
                row["raw_response_id"] = places.get(row["raw_response_id"])
        return {relation: sorted(found[relation], key=str) for relation in SEEN}

    def _rows(self, sql: str) -> list[dict[str, Any]]:
        with self.warehouse.connect() as connection:
            found = connection.execute(text(sql), {"appid": self.account.appid})
            return [dict(row) for row in found.mappings()]


SEEN = (
    "weixin.fact_article_total",
    "weixin.fact_article_total_history",
    "weixin.restatement",
    "weixin.dim_article",
    "weixin.dim_article_title_history",
    "weixin.article_sighting",
    "weixin.coverage",
    "weixin.rejected_row",
    "analytics.article",
    "analytics.article_day",
    "analytics.coverage",
    "analytics.account_day",
    "analytics.article_total_as_of('2026-11-24 10:30+08')",
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(loadings(), st.booleans())
def test_nobody_can_tell_that_answers_were_pruned(
    warehouse: Engine, drawn: list[Loading], is_wiped: bool
):
    """
    Neither in a table or a view, nor by a replay; nor by one after facts and articles were wiped.

    Corrections, absent figures, late answers, identical ones, rejected rows, articles that vanish:
    everything stays, the answer that each row and each article names included.
    """
    pruned, whole = Twin(warehouse), Twin(warehouse)
    for twin in (pruned, whole):
        for loading in drawn:
            twin.load(loading)
    places = {twin: twin.answers() for twin in (pruned, whole)}

    run(warehouse, pruned.selection)

    assert pruned.seen(places[pruned]) == whole.seen(places[whole])
    for twin in (pruned, whole):
        if is_wiped:
            twin.wipe()
    assert rebuild(warehouse, pruned.selection) == rebuild(warehouse, whole.selection)
    assert pruned.seen(places[pruned]) == whole.seen(places[whole])
