"""Which rollups a commit must bring up to date: those of what it changed."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import Any

from sqlalchemy import Row

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.load.tables import Loaded, Tables
from weixin_etl.model import Pair
from weixin_etl.warehouse import rollups


def keep(tables: Tables, pairs: Collection[Pair], before: Loaded) -> None:
    """
    Bring the rollups up to date with what the transaction wrote, of these pairs and others.

    What coverage said of the pairs `before` tells which it says something else of now.
    """
    if not tables.dataset.describes_articles:
        return
    after = tables.loaded(pairs)
    changed = {
        pair
        for pair, row in after.items()
        if pair not in before or _state(row) != _state(before[pair])
    }
    days: defaultdict[str, set[date]] = defaultdict(set)
    for appid, day in changed | tables.touched:
        days[appid].add(day)
    whole = tables.rebuilt | set(rollups.without(tables.connection, tables.dataset, list(days)))
    for dataset in ARTICLE_DATASETS.values():
        if dataset == tables.dataset:
            spans = {it: (min(of), max(of)) for it, of in days.items() if it not in whole}
            rollups.keep(tables.connection, dataset, spans, tables.changed_at)
            rollups.keep_whole(tables.connection, dataset, whole)
        else:  # articles that moved take the rows of every dataset with them
            rollups.keep_whole(tables.connection, dataset, tables.rebuilt)


def _state(row: Row[Any]) -> tuple[object, ...]:
    """What the rollups take from a pair's coverage; instants only by their day in Beijing."""
    return (
        row.data_state,
        row.is_final,
        row.is_provisional,
        clock.beijing_date(row.fetched_at),
        row.ready_at and clock.beijing_date(row.ready_at),
    )
