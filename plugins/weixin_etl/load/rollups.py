"""Which rollups a commit must bring up to date: those of what it changed."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date

from weixin_etl import clock
from weixin_etl.datasets import ARTICLE_DATASETS
from weixin_etl.load.tables import Tables
from weixin_etl.model import Pair
from weixin_etl.warehouse import rollups

States = Mapping[Pair, tuple[object, ...]]
"""What the rollups take from coverage, by pair; instants only by their day in Beijing."""


def states(tables: Tables, pairs: Collection[Pair]) -> States:
    """What coverage says of the pairs that have an answer; nothing where there are no rollups."""
    if not tables.dataset.describes_articles:
        return {}
    return {
        (row.appid, row.publication_date): (
            row.data_state,
            row.is_final,
            row.is_provisional,
            clock.beijing_date(row.fetched_at),
            row.ready_at and clock.beijing_date(row.ready_at),
        )
        for row in tables.execute("coverage/of_pairs.sql", **tables.arrays(pairs))
    }


def keep(tables: Tables, pairs: Collection[Pair], before: States) -> None:
    """Bring the rollups up to date with what the transaction wrote, of these pairs and others."""
    if not tables.dataset.describes_articles:
        return
    after = states(tables, pairs)
    changed = {pair for pair, state in after.items() if state != before.get(pair)} | tables.touched
    days: defaultdict[str, set[date]] = defaultdict(set)
    for appid, day in changed:
        days[appid].add(day)
    whole = tables.rebuilt | set(rollups.without(tables.connection, tables.dataset, list(days)))
    for dataset in ARTICLE_DATASETS.values():
        if dataset == tables.dataset:
            spans = {it: (min(of), max(of)) for it, of in days.items() if it not in whole}
            rollups.keep(tables.connection, dataset, spans, tables.changed_at)
            rollups.keep_whole(tables.connection, dataset, whole)
        else:  # articles that moved take the rows of every dataset with them
            rollups.keep_whole(tables.connection, dataset, tables.rebuilt)
