"""
Answers of many accounts into raw answers, articles, rows, restatements and rejected rows.

The newest answer of a pair wins, field by field, whatever the order of arrival: an answer that is
older than the newest loaded one is put in its place by merging the pair's raw answers again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, CursorResult

from weixin_etl.datasets import Dataset
from weixin_etl.load.stage import (
    PreparedAnswer,
    article_line,
    copy_answers,
    copy_articles,
    copy_rows,
    line_end,
    raw_response_line,
    row_lines,
    unpacked,
)
from weixin_etl.model import Counts, DataState, Pair
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError
from weixin_etl.parse.articles import merge as merge_parsed
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Fetched:
    """A pair's answer, and whether articles can be made out in it."""

    pair: Pair
    answer: PreparedAnswer
    is_readable: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where an answer is kept."""

    raw_response_id: int
    last_seen_at: datetime
    seen_before: datetime | None = None
    """When it was last seen before, if it is not put there now."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    """What was loaded of a pair before."""

    fetched_at: datetime
    """Of its newest answer."""
    row_count: int
    """Of its newest answer."""
    has_articles: bool


@dataclass(frozen=True, slots=True)
class _Staged:
    """What is to be merged of a pair."""

    pair: Pair
    msgids: Sequence[str]
    articles: bytes
    """Lines."""
    rows: bytes
    """Lines."""
    row_count: int
    has_facts: bool
    """Whether the fact may hold rows of the pair, to be compared with these."""


def merge(
    connection: Connection,
    dataset: Dataset,
    fetched: Sequence[Fetched],
    *,
    changed_at: datetime,
    refetch: bool,
) -> dict[Pair, Counts]:
    """
    Merge the answers, in the transaction of the caller; what changed, by pair.

    The rows of an answer that is loaded already are compared again only in a `refetch`.
    """
    return _Merge(connection, dataset, changed_at).merge(fetched, refetch) if fetched else {}


class _Merge:
    def __init__(self, connection: Connection, dataset: Dataset, changed_at: datetime) -> None:
        self._connection = connection
        self._dataset = dataset
        self._changed_at = changed_at
        self._changes: dict[Pair, Counts] = {}

    def merge(self, fetched: Sequence[Fetched], refetch: bool) -> dict[Pair, Counts]:
        loaded = self._loaded(fetched)
        kept = self._keep(fetched)
        again = [it for it in fetched if _is_newest_again(it, kept[it.pair], loaded.get(it.pair))]
        known = set() if refetch else self._with_all_rows(again)
        staged = [
            self._staged(it, kept[it.pair], loaded.get(it.pair), is_known=it.pair in known)
            for it in fetched
            if it.is_readable
        ]
        for number, layer in enumerate(_layers(staged)):
            if number:
                self._make_tables_of_rows()
                self._execute("fact/unstage.sql")
            self._merge_in(layer)
        self._save_rejected(fetched, kept)
        return {it.pair: self._counts(it) for it in staged}

    def _execute(self, path: str, **values: Any) -> CursorResult[Any]:
        return self._connection.execute(
            statement(path, self._dataset), {"dataset": self._dataset.name, **values}
        )

    def _arrays(self, pairs: Iterable[Pair]) -> dict[str, list[Any]]:
        """
        Pairs as the arrays that statements take.

        The dataset is one of them: of a constant, a planner without statistics expects few rows,
        and begins with all of the dataset's.
        """
        listed = list(pairs)
        return {
            "datasets": [self._dataset.name] * len(listed),
            "appids": [appid for appid, _ in listed],
            "publication_dates": [day for _, day in listed],
        }

    def _loaded(self, fetched: Sequence[Fetched]) -> dict[Pair, _Loaded]:
        rows = self._execute("coverage/of_pairs.sql", **self._arrays(it.pair for it in fetched))
        return {
            (row.appid, row.publication_date): _Loaded(
                row.fetched_at, row.row_count, row.data_state == DataState.LOADED
            )
            for row in rows
        }

    def _keep(self, fetched: Sequence[Fetched]) -> dict[Pair, _Kept]:
        """Keep the answers' bytes; where, by pair."""
        again = self._execute(
            "raw_response/see_again.sql",
            **self._arrays(it.pair for it in fetched),
            hashes=[it.answer.body_sha256 for it in fetched],
            fetched_ats=[it.answer.fetched_at for it in fetched],
        )
        kept = {
            (row.appid, row.publication_date): _Kept(
                row.raw_response_id, row.last_seen_at, row.seen_before
            )
            for row in again
        }
        new = sorted((it for it in fetched if it.pair not in kept), key=lambda it: it.pair)
        if not new:
            return kept
        ids = self._execute("raw_response/next_ids.sql", count=len(new)).scalars()
        numbered = list(zip(ids, new, strict=True))
        copy_answers(
            self._connection,
            (
                raw_response_line(number, self._dataset, *it.pair, it.answer)
                for number, it in numbered
            ),
        )
        return kept | {it.pair: _Kept(number, it.answer.fetched_at) for number, it in numbered}

    def _with_all_rows(self, again: Sequence[Fetched]) -> set[Pair]:
        """The pairs of which the fact holds as many rows as the answer, or more."""
        if not again:
            return set()
        rows = self._execute("fact/known_rows.sql", **self._arrays(it.pair for it in again))
        held = {(row.appid, row.publication_date): row.row_count for row in rows}
        return {it.pair for it in again if held.get(it.pair, 0) >= len(it.answer.rows)}

    def _staged(
        self, it: Fetched, kept: _Kept, loaded: _Loaded | None, *, is_known: bool
    ) -> _Staged:
        """The answer's lines when it is the pair's newest, else those of all its answers."""
        if loaded and it.answer.fetched_at < loaded.fetched_at:
            return self._staged_in_order(it, kept)
        # bytes that were seen before: raw_response tells when they were seen again
        seen_at = kept.seen_before or it.answer.fetched_at
        end = self._article_end(it.pair, kept.raw_response_id, seen_at, seen_at)
        return _Staged(
            it.pair,
            it.answer.msgids,
            end.join([*it.answer.articles, b""]),
            b"" if is_known else self._ended(it, kept, it.answer.rows),
            len(it.answer.rows),
            has_facts=loaded is not None and loaded.has_articles,
        )

    def _staged_in_order(self, late: Fetched, kept: _Kept) -> _Staged:
        """All the pair's answers as one, in the order they were last seen."""
        answers = list(self._kept_answers(late.pair))
        first_seen = dict.fromkeys(late.answer.msgids, late.answer.fetched_at)
        ends: dict[str, bytes] = {}
        for raw_response_id, parsed, first_at, last_at in answers:
            for msgid in parsed.articles:
                first_seen[msgid] = min(first_seen.get(msgid, first_at), first_at)
                ends[msgid] = self._article_end(
                    late.pair, raw_response_id, first_seen[msgid], last_at
                )
        articles = merge_parsed(parsed for _, parsed, *_ in answers).articles
        rows = row_lines(self._dataset, articles.values())
        return _Staged(
            late.pair,
            tuple(articles),
            b"".join(article_line(it) + ends[msgid] for msgid, it in articles.items()),
            self._ended(late, kept, rows),
            len(rows),
            has_facts=True,
        )

    def _kept_answers(self, pair: Pair) -> Iterator[tuple[int, Parsed, datetime, datetime]]:
        """The pair's kept answers in the order they were last seen, but for unreadable ones."""
        appid, day = pair
        kept = self._execute("raw_response/of_pair.sql", appid=appid, publication_date=day)
        for row in kept:
            body = unpacked(bytes(row.body_zstd))
            try:
                parsed = parse(self._dataset, body, day, row.last_seen_at)
            except UnreadableAnswerError:
                continue
            yield row.raw_response_id, parsed, row.fetched_at, row.last_seen_at

    def _article_end(self, pair: Pair, raw_response_id: int, *seen_at: datetime) -> bytes:
        return line_end(self._dataset.name, *pair, raw_response_id, *seen_at)

    def _ended(self, it: Fetched, kept: _Kept, rows: Sequence[bytes]) -> bytes:
        ids = (kept.raw_response_id, kept.last_seen_at, self._changed_at)
        return line_end(*it.pair, *ids).join([*rows, b""])

    def _make_tables_of_rows(self) -> None:
        self._execute("fact/stage.sql")
        self._execute("fact/different.sql")

    def _merge_in(self, staged: Sequence[_Staged]) -> None:
        self._execute("dim_article/stage.sql")
        copy_articles(self._connection, (it.articles for it in staged))
        self._execute("dim_article/load.sql")
        self._execute("article_sighting/load.sql")
        new = [it for it in staged if it.rows and not it.has_facts]
        known = [it for it in staged if it.rows and it.has_facts]
        if new and not self._insert(new):
            known += new
        if known:
            self._compare(known)

    def _insert(self, staged: Sequence[_Staged]) -> bool:
        """Rows of pairs that have none yet, straight into the fact; False when it has some."""
        fact = f"weixin.{self._dataset.fact}"
        try:
            with self._connection.begin_nested():
                copy_rows(self._connection, fact, self._dataset, (it.rows for it in staged))
        except UniqueViolation:  # another publication day had the article before
            return False
        self._changes |= {it.pair: Counts(inserted=it.row_count) for it in staged}
        return True

    def _compare(self, staged: Sequence[_Staged]) -> None:
        """Rows of pairs that have some: only what is new or differs is written."""
        self._make_tables_of_rows()
        table = f"staged_{self._dataset.fact}"
        copy_rows(self._connection, table, self._dataset, (it.rows for it in staged))
        self._execute("fact/compare.sql")
        self._execute("fact/update.sql")
        self._execute("fact/insert.sql")
        self._execute("restatement/save.sql")
        for row in self._execute("fact/count.sql").mappings():
            counts = dict(row)
            pair = counts.pop("appid"), counts.pop("publication_date")
            self._changes[pair] = Counts(**counts)

    def _counts(self, staged: _Staged) -> Counts:
        changes = self._changes.get(staged.pair, Counts())
        unchanged = staged.row_count - changes.inserted - changes.updated
        return replace(changes, unchanged=unchanged)

    def _save_rejected(self, fetched: Sequence[Fetched], kept: Mapping[Pair, _Kept]) -> None:
        """Only those of answers seen for the first time: the others' are kept already."""
        new = [it for it in fetched if kept[it.pair].seen_before is None]
        rows = [(it.pair, rejected) for it in new for rejected in it.answer.others.rejected]
        if not rows:
            return
        self._execute(
            "rejected_row/save.sql",
            **self._arrays(pair for pair, _ in rows),
            msgids=[rejected.msgid for _, rejected in rows],
            stat_dates=[_date(rejected.stat_date) for _, rejected in rows],
            reasons=[rejected.reason for _, rejected in rows],
            payloads=[rejected.payload for _, rejected in rows],
            raw_response_ids=[kept[pair].raw_response_id for pair, _ in rows],
            rejected_at=self._changed_at,
        )


def _is_newest_again(it: Fetched, kept: _Kept, loaded: _Loaded | None) -> bool:
    """
    Whether the answer is the newest loaded one again, byte for byte and row for row.

    Fetched on a later day, the same bytes may hold a row that was too early before.
    """
    if loaded is None or kept.seen_before != loaded.fetched_at:
        return False
    is_newest = it.answer.fetched_at >= loaded.fetched_at
    return is_newest and loaded.row_count == len(it.answer.rows)


def _date(text: str | None) -> date | None:
    """The day a rejected row names; None when that is none, which may be why it was rejected."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _layers(staged: Iterable[_Staged]) -> list[list[_Staged]]:
    """
    The pairs in groups that can be merged at once, one group after the other.

    One group, unless two answers claim the same article of an account: then the older day's comes
    first. The check on publication days reports such a case.
    """
    layers: list[list[_Staged]] = []
    free: dict[tuple[str, str], int] = {}
    for it in sorted(staged, key=lambda it: it.pair):
        articles = [(it.pair[0], msgid) for msgid in it.msgids]
        place = max((free.get(article, 0) for article in articles), default=0)
        free |= dict.fromkeys(articles, place + 1)
        if place == len(layers):
            layers.append([])
        layers[place].append(it)
    return layers
