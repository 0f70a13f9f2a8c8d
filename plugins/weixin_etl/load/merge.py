"""
Pairs into raw answers, articles, rows, their history and rejected parts, in a transaction.

A pair's newest answer is written over what is there, field by field; a fold of all its kept answers
replaces what is there. What stays as it is is not written.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Row

from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.load.stage import (
    ARTICLE_COLUMNS,
    RAW_RESPONSE_COLUMNS,
    Staged,
    copy,
    line_end,
    row_columns,
)
from weixin_etl.model import Cause, Counts, Coverage, Pair
from weixin_etl.parse.articles import Rejected
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import arrays, as_json, coverage_of

Articles = set[tuple[str, str]]
"""Each by its account and msgid."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the warehouse has of a pair before a load."""

    coverage: Coverage | None
    raw_response_id: int | None
    """Of its newest answer, as the rest."""
    body_sha256: bytes | None
    last_seen_at: datetime | None
    next_raw_response_id: int
    """Where a further answer is kept."""
    has_open_parts: bool
    """Whether a rejected part is open."""

    @property
    def is_loaded(self) -> bool:
        """Whether the fact may hold rows of it."""
        return self.coverage is not None and self.coverage.fetched_at is not None


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be in the tables of a pair: by its newest answer, or by all that are kept."""

    pair: Pair
    raw_response_id: int
    rejected: Sequence[Rejected]
    msgids: Collection[str]
    articles: bytes
    """Their lines."""
    rows: Sequence[bytes]
    """The beginnings of their lines, or the whole."""
    row_end: bytes = b""
    """How each line ends."""

    @property
    def row_lines(self) -> bytes:
        """The rows' lines; not kept, as they are many."""
        return self.row_end.join([*self.rows, b""])


class Merge:
    """A dataset's tables in a transaction of the caller, and one instant for all that changes."""

    def __init__(
        self,
        connection: Connection,
        dataset: Dataset,
        changed_at: datetime,
        cause: Cause = Cause.WECHAT,
    ) -> None:
        """Pin the plan; write nothing yet."""
        self.connection = connection
        self.dataset = dataset
        self.changed_at = changed_at
        self._cause = cause
        connection.execute(statement("fact/pin_plan.sql"))

    def execute(self, path: str, **values: Any) -> CursorResult[Any]:
        """Execute a statement of the dataset."""
        return self.connection.execute(
            statement(path, self.dataset), {"dataset": self.dataset.name, **values}
        )

    def known(self, pairs: Collection[Pair]) -> dict[Pair, Known]:
        """What the warehouse has of each pair."""
        rows = self.execute("coverage/before.sql", **arrays(self.dataset, pairs))
        return {(row.appid, row.day): _known(row) for row in rows}

    def keep(self, answers: Sequence[Staged], known: Mapping[Pair, Known]) -> dict[Pair, int]:
        """Keep the bytes of answers that are not the pair's newest again; where they are kept."""
        seen = [it for it in answers if known[it.pair].body_sha256 == it.body_sha256]
        new = [it for it in answers if known[it.pair].body_sha256 != it.body_sha256]
        places = {it.pair: known[it.pair].raw_response_id or 0 for it in seen}
        new_places = {it.pair: known[it.pair].next_raw_response_id for it in new}
        if seen:
            ids, instants = [*places.values()], [it.said.at for it in seen]
            self.execute("raw_response/see.sql", raw_response_ids=ids, seen_ats=instants)
        if new:
            copy(
                self.connection,
                "weixin.raw_response",
                RAW_RESPONSE_COLUMNS,
                (self._raw_line(it, new_places[it.pair]) for it in new),
            )
        return places | new_places

    def _raw_line(self, it: Staged, raw_response_id: int) -> bytes:
        return line_end(raw_response_id, self.dataset.name, *it.pair)[1:-1] + it.body_end

    def merge(
        self, contents: Sequence[Content], *, are_new: bool = False, is_fold: bool = False
    ) -> dict[Pair, Counts]:
        """
        Write articles and rows; how many rows were inserted and updated, by pair.

        Rows of pairs that `are_new` are not looked up first, unless the fact holds some all the
        same. A fold of all kept answers replaces what is there.
        """
        if not contents:
            return {}
        done: dict[Pair, Counts] = {}
        self.execute("fact/stage.sql")
        for part in _rounds(contents) if self.dataset.describes_articles else [contents]:
            if done:
                self.execute("fact/empty_stage.sql")
            done |= self._merge_round(part, are_new=are_new, is_fold=is_fold)
        return done

    def _merge_round(
        self, contents: Sequence[Content], *, are_new: bool, is_fold: bool
    ) -> dict[Pair, Counts]:
        """The same of contents none of which lists an article of another."""
        repeated: Articles = set()
        if self.dataset.describes_articles:
            repeated = self._merge_articles(contents, is_fold=is_fold)
        lines = (content.row_lines for content in contents)
        copy(self.connection, f"staged_{self.dataset.fact}", row_columns(self.dataset), lines)
        written: dict[Pair, Counts] = {}
        if are_new:
            written = self._written("fact/insert.sql")
        staged = {content.pair: len(content.rows) for content in contents}
        if sum(counts.inserted for counts in written.values()) < sum(staged.values()):
            merged = self._written("fact/merge.sql", cause=self._cause.value, is_fold=is_fold)
            written |= {pair: written.get(pair, Counts()) + of for pair, of in merged.items()}
        self._follow(repeated)
        return {
            pair: done + Counts(unchanged=count - done.inserted - done.updated)
            for pair, count in staged.items()
            for done in [written.get(pair, Counts())]
        }

    def _written(self, path: str, **values: Any) -> dict[Pair, Counts]:
        rows = self.execute(path, changed_at=self.changed_at, **values)
        return {(row.appid, row.day): Counts(row.inserted, row.updated) for row in rows}

    def _merge_articles(self, contents: Sequence[Content], *, is_fold: bool) -> Articles:
        """Articles, and which the dataset lists; those that another day lists as well."""
        lines = (content.articles for content in contents)
        copy(self.connection, "staged_article", ARTICLE_COLUMNS, lines)
        repeated = self.execute("dim_article/load.sql", changed_at=self.changed_at, is_fold=is_fold)
        return {(row.appid, row.msgid) for row in repeated}

    def _follow(self, repeated: Articles) -> None:
        """Let the rows of articles that two days list be of the later one."""
        if repeated:
            appids, msgids = map(list, zip(*sorted(repeated), strict=True))
            for dataset in ARTICLE_DATASETS.values():
                follow = statement("fact/follow.sql", dataset)
                self.connection.execute(follow, {"appids": appids, "msgids": msgids})

    def unlist(self, listed: Mapping[Pair, tuple[Collection[str], datetime]]) -> None:
        """Articles of pairs that these no longer list, by answers of these instants."""
        pairs = [
            {"appid": appid, "day": day, "msgids": list(msgids), "at": at}
            for (appid, day), (msgids, at) in listed.items()
        ]
        if pairs and self.dataset.describes_articles:
            self.execute("article_sighting/unlist.sql", pairs=as_json(pairs))

    def unlist_again(self, unlisted: Mapping[Pair, Mapping[str, datetime | None]]) -> None:
        """Since when none of pairs' answers lists an article; None while the newest does."""
        articles = [
            {"appid": appid, "day": day, "msgid": msgid, "at": at}
            for (appid, day), since in unlisted.items()
            for msgid, at in since.items()
        ]
        if articles and self.dataset.describes_articles:
            self.execute("article_sighting/unlist_again.sql", articles=as_json(articles))

    def reject(self, contents: Sequence[Content], known: Mapping[Pair, Known]) -> int:
        """
        Write down what does not fit; an open part that does not occur any more is resolved.

        Of how many parts that is news.
        """
        pairs = [it.pair for it in contents if it.rejected or known[it.pair].has_open_parts]
        if not pairs:
            return 0
        parts = [(it, part) for it in contents for part in it.rejected]
        changed = self.execute(
            "rejected_row/save.sql",
            **arrays(self.dataset, pairs),
            part_appids=[it.pair[0] for it, _ in parts],
            part_days=[it.pair[1] for it, _ in parts],
            raw_response_ids=[it.raw_response_id for it, _ in parts],
            msgids=[part.msgid for _, part in parts],
            stat_dates=[part.stat_date for _, part in parts],
            reasons=[part.reason for _, part in parts],
            payloads=[part.payload for _, part in parts],
            rejected_at=self.changed_at,
        )
        return int(changed.scalar_one())

    def save(self, rows: Mapping[Pair, Coverage]) -> None:
        """Write whole rows of coverage."""
        if not rows:
            return
        values = [
            {
                "appid": appid,
                "day": day,
                **{name: getattr(row, name) for name in Coverage.__slots__},
                "list_sha256": row.list_sha256 and rf"\x{row.list_sha256.hex()}",
            }
            for (appid, day), row in rows.items()
        ]
        self.execute("coverage/save.sql", rows=as_json(values))


def _known(row: Row[Any]) -> Known:
    sha256 = row.body_sha256 and bytes(row.body_sha256)
    coverage = coverage_of(row[7:]) if row.attempted_at else None
    return Known(
        coverage,
        row.raw_response_id,
        sha256,
        row.last_seen_at,
        row.next_raw_response_id,
        row.has_open_parts,
    )


def _rounds(contents: Sequence[Content]) -> Sequence[Sequence[Content]]:
    """Contents in parts, none of which lists an article twice; the later of two days first."""
    rounds: list[list[Content]] = []
    listed: list[Articles] = []
    for content in sorted(contents, key=lambda content: content.pair, reverse=True):
        articles = {(content.pair[0], msgid) for msgid in content.msgids}
        others = (n for n, other in enumerate(listed) if not other.isdisjoint(articles))
        place = max(others, default=-1) + 1
        if place == len(rounds):
            rounds.append([])
            listed.append(set())
        rounds[place].append(content)
        listed[place] |= articles
    return rounds
