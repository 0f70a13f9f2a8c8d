"""Staged pairs into the tables: articles, rows, and the history of the rows that are replaced."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, CursorResult, Row

from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.load.stage import Staged, copy_articles, copy_rows, line_end
from weixin_etl.model import Cause, Counts, Pair
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import arrays

Loaded = Mapping[Pair, Row[Any]]
"""What is loaded of pairs, if anything: see `coverage/of_pairs.sql`."""


class Tables:
    """A dataset's tables in a transaction of the caller, and one instant for all that changes."""

    def __init__(
        self,
        connection: Connection,
        dataset: Dataset,
        changed_at: datetime,
        cause: Cause = Cause.WECHAT,
    ) -> None:
        """Write nothing yet."""
        self.connection = connection
        self.dataset = dataset
        self.changed_at = changed_at
        self._cause = cause
        self.touched: set[Pair] = set()
        """Pairs of which rows, listed articles or rejected parts may be others now."""
        self.rebuilt: set[str] = set()
        """Accounts with rebuilt pairs, whose articles may have moved to another day."""

    def execute(self, path: str, **values: Any) -> CursorResult[Any]:
        """Execute a statement of the dataset."""
        return self.connection.execute(
            statement(path, self.dataset), {"dataset": self.dataset.name, **values}
        )

    def arrays(self, pairs: Collection[Pair], dates: str = "publication_dates") -> dict[str, Any]:
        """Accounts with a day each, as the arrays that statements take."""
        return arrays(self.dataset, pairs, dates)

    def listings(self, listed: Mapping[Pair, Collection[str]]) -> str:
        """The articles that pairs list, as statements take them."""
        of_pairs = [
            {"appid": appid, "publication_date": day, "msgids": list(msgids)}
            for (appid, day), msgids in listed.items()
        ]
        return msgspec.json.encode(of_pairs).decode()

    def article_end(self, pair: Pair, raw_response_id: int, *seen_at: datetime) -> bytes:
        """The end of the line of an article, with when it was seen first and last."""
        return line_end(self.dataset.name, *pair, raw_response_id, *seen_at)

    def row_end(self, pair: Pair, raw_response_id: int, fetched_at: datetime) -> bytes:
        """The end of the line of a row, with the answer that changed it last."""
        appid, day = pair
        place = [day] if self.dataset.place else []
        changed_at = self.changed_at
        return line_end(appid, *place, raw_response_id, fetched_at, changed_at, changed_at)

    def loaded(self, pairs: Collection[Pair]) -> Loaded:
        """What is loaded of the pairs that have an answer."""
        rows = self.execute("coverage/of_pairs.sql", **self.arrays(pairs))
        return {(row.appid, row.publication_date): row for row in rows}

    def row_counts(self, pairs: Collection[Pair]) -> dict[Pair, int]:
        """How many rows the fact holds of each pair that has any."""
        if not pairs:
            return {}
        rows = self.execute("fact/known_rows.sql", **self.arrays(pairs))
        return {(row.appid, row.publication_date): row.row_count for row in rows}

    def merge(self, staged: Collection[Staged]) -> dict[Pair, Counts]:
        """Merge pairs, those that are rebuilt last; what changed, by pair."""
        changes: dict[Pair, Counts] = {}
        self.touched |= {it.pair for it in staged if it.rows or not it.row_count}
        for layer in self.stage(staged):
            self.load_articles(layer)
            new = [it for it in layer if it.rows and not it.has_facts]
            known = [it for it in layer if it.rows and it.has_facts]
            if new and self._insert(new):
                changes |= {it.pair: Counts(inserted=it.row_count) for it in new}
            else:
                known += new
            if known:
                self.compare(known)
                self.load_rows(known)
                changes |= self.changes()
            self.follow(layer)
        return {
            it.pair: replace(done, unchanged=it.row_count - done.inserted - done.updated)
            for it in staged
            for done in [changes.get(it.pair, Counts())]
        }

    def stage(self, staged: Collection[Staged]) -> Iterator[list[Staged]]:
        """The layers of the pairs, one after the other, each with its articles staged alone."""
        for number, layer in enumerate(layers(staged)):
            if number:
                self.execute("fact/stage.sql")
                self.execute("fact/unstage.sql")
            self.execute("dim_article/stage.sql")
            if self.dataset.describes_articles:
                copy_articles(self.connection, (it.articles for it in layer))
                if layer[0].is_rebuilt:
                    self.execute("dim_article/fill.sql")
            yield layer

    def load_articles(self, layer: Sequence[Staged]) -> None:
        """Write down the staged articles, and which answer listed them."""
        if not self.dataset.describes_articles:
            return
        self.execute("dim_article/load.sql", changed_at=self.changed_at)
        self.execute("article_sighting/load.sql")
        if layer[0].is_rebuilt:
            self.execute("dim_article/move.sql")

    def _insert(self, layer: Sequence[Staged]) -> bool:
        """Rows of pairs that have none yet, straight into the fact; False when it has some."""
        fact = f"weixin.{self.dataset.fact}"
        try:
            with self.connection.begin_nested():
                copy_rows(self.connection, fact, self.dataset, (it.rows for it in layer))
        except UniqueViolation:  # the fact holds rows of which coverage knows nothing
            return False
        return True

    def compare(self, layer: Sequence[Staged]) -> None:
        """Find the rows of pairs that the fact lacks or holds with other values."""
        self.execute("fact/stage.sql")
        table = f"staged_{self.dataset.fact}"
        copy_rows(self.connection, table, self.dataset, (it.rows for it in layer))
        self.execute("fact/compare.sql", are_rebuilt=layer[0].is_rebuilt)

    def load_rows(self, layer: Sequence[Staged]) -> None:
        """Write what `compare` found; what is replaced goes to the history."""
        self.execute("fact_history/save.sql", cause=self._cause)
        self.execute("fact/update.sql")
        self.execute("fact/insert.sql")
        if layer[0].is_rebuilt:
            self.execute("fact/attribute.sql")

    def changes(self) -> dict[Pair, Counts]:
        """What `compare` found, by pair that changes or whose answer left values out."""
        return {
            (row.appid, row.publication_date): Counts(
                row.inserted, row.updated, restated=row.restated, kept=row.kept
            )
            for row in self.execute("fact/count.sql")
        }

    def follow(self, layer: Sequence[Staged]) -> None:
        """Let the rows of all datasets follow rebuilt articles to their publication day."""
        if layer[0].is_rebuilt and self.dataset.describes_articles:
            self.rebuilt |= {it.pair[0] for it in layer}
            for dataset in ARTICLE_DATASETS.values():
                self.connection.execute(statement("fact/follow.sql", dataset))


def layers(staged: Iterable[Staged]) -> list[list[Staged]]:
    """
    The pairs in groups that can be merged at once, one group after the other: rebuilt ones last.

    One group, unless two pairs list the same article of an account: then the later day's comes
    first, which the article most likely is of, and what is written counts as its.
    """
    groups: dict[tuple[bool, int], list[Staged]] = {}
    free: dict[tuple[bool, str, str], int] = {}
    for it in sorted(staged, key=lambda it: it.pair, reverse=True):
        articles = [(it.is_rebuilt, it.pair[0], msgid) for msgid in it.msgids]
        place = max((free.get(article, 0) for article in articles), default=0)
        free |= dict.fromkeys(articles, place + 1)
        groups.setdefault((it.is_rebuilt, place), []).append(it)
    return [groups[place] for place in sorted(groups)]
