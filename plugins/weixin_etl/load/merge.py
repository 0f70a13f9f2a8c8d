"""
Answers of many accounts into raw answers, articles, rows, their history, and rejected rows.

The newest answer of a pair wins, field by field, whatever the order of arrival: when an answer is
older than the newest loaded one, its pair is rebuilt from all its kept answers. A replay rebuilds
pairs in the same way, without a new answer.

An article that answers list under several publication days is one article. A pair that lists one is
rebuilt, and the article is made of the answers of all these days, in the order that
`raw_response/macros.jinja` gives. Its publication day is that of the newest answer.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

import msgspec
from psycopg2.errors import UniqueViolation
from sqlalchemy import Connection, CursorResult, Row

from weixin_etl.datasets import DATASETS, Dataset
from weixin_etl.load.stage import (
    PreparedAnswer,
    article_line,
    copy_answers,
    copy_articles,
    copy_rows,
    line_end,
    raw_response_line,
    row_lines,
    through_date,
    unpacked,
)
from weixin_etl.model import Cause, Counts, DataState, Pair
from weixin_etl.parse import day_before, parse
from weixin_etl.parse.articles import (
    Merged,
    OpenParts,
    Parsed,
    Rejected,
    UnreadableAnswerError,
)
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
    """Where an answer is kept, and the publication day it was asked for."""

    raw_response_id: int
    publication_date: date
    fetched_at: datetime
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
    is_rebuilt: bool = False
    """Whether these are all that kept answers say, not only what the pair's newest does."""


_OtherDays = Mapping[str, set[date]]
"""Of articles that several publication days list, by msgid: the other days."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest kept answer of a pair in which articles can be made out."""

    fetched_at: datetime
    """When it was last fetched."""
    article_count: int
    row_count: int
    rejected: int
    through_date: date | None
    is_delayed: bool
    list_sha256: bytes
    is_empty: bool
    """Whether it lists nothing."""
    nothing_fits: bool

    @property
    def has_data(self) -> bool:
        """Whether it tells what was published; not when every part of it is rejected."""
        return bool(self.article_count or not self.rejected)


@dataclass(slots=True)
class Rebuilt:
    """A pair as all its kept answers make it."""

    pair: Pair
    merged: Merged[_Kept]
    has_articles: bool = False
    newest: Newest | None = None
    newest_with_data: Newest | None = None
    readable: set[int] = field(default_factory=set)
    """The answers in which articles can be made out, by raw_response_id."""
    rejected: list[tuple[int, Rejected]] = field(default_factory=list)
    """What does not fit and no later answer gave, with the answer it is a part of."""
    given: list[tuple[int, Rejected]] = field(default_factory=list)
    """What did not fit and a later answer gave, with the answer it is a part of."""


@dataclass(frozen=True, slots=True)
class FigureDiff:
    """A metric that a rebuild gives other values."""

    metric: str
    count: int
    example: tuple[str, str, str, str | None, str | None]
    """AppID, msgid, stat_date, value before and after."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What a rebuild changes, or would change."""

    new_rows: int = 0
    changed_rows: int = 0
    renamed_rows: int = 0
    """Rows whose values stay, but which another answer was the last to change."""
    left_rows: int = 0
    """Rows of the fact that no kept answer holds: they stay."""
    articles: int = 0
    fitting: int = 0
    """Rejected parts that fit now, or are rejected for another reason."""
    rejected: int = 0
    """Parts that are rejected and were not, or for another reason."""
    figures: tuple[FigureDiff, ...] = ()

    def __add__(self, other: "Diff") -> "Diff":
        """Both, with the first example of each metric."""
        counts = Counter({it.metric: it.count for it in self.figures})
        counts.update({it.metric: it.count for it in other.figures})
        examples = {it.metric: it.example for it in (*other.figures, *self.figures)}
        return Diff(
            self.new_rows + other.new_rows,
            self.changed_rows + other.changed_rows,
            self.renamed_rows + other.renamed_rows,
            self.left_rows + other.left_rows,
            self.articles + other.articles,
            self.fitting + other.fitting,
            self.rejected + other.rejected,
            tuple(FigureDiff(name, counts[name], examples[name]) for name in sorted(counts)),
        )


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


def rebuild(
    connection: Connection,
    dataset: Dataset,
    pairs: Sequence[Pair],
    *,
    changed_at: datetime,
    is_applied: bool,
) -> tuple[list[Rebuilt], Diff]:
    """
    Make the pairs what their kept answers say, in the transaction of the caller.

    Without `is_applied` nothing is written but temporary tables: the difference is what it would
    be. The pairs come without their articles.
    """
    replay = _Merge(connection, dataset, changed_at, Cause.REPLAY, is_applied=is_applied)
    return replay.rebuild(pairs)


class _Merge:
    def __init__(
        self,
        connection: Connection,
        dataset: Dataset,
        changed_at: datetime,
        cause: Cause = Cause.WECHAT,
        *,
        is_applied: bool = True,
    ) -> None:
        self._connection = connection
        self._dataset = dataset
        self._changed_at = changed_at
        self._cause = cause
        self._is_applied = is_applied
        self._changes: dict[Pair, Counts] = {}
        self._diff = Diff()

    def merge(self, fetched: Sequence[Fetched], refetch: bool) -> dict[Pair, Counts]:
        loaded = self._loaded(fetched)
        kept = self._keep(fetched)
        again = [it for it in fetched if _is_known(it, kept[it.pair], loaded.get(it.pair))]
        known = set() if refetch else self._with_all_rows(again)
        readable = [it for it in fetched if it.is_readable]
        late = {it.pair for it in readable if _is_late(it, loaded.get(it.pair))}
        rebuilt = self._rebuilt_for(readable, late - known)
        staged = [
            self._staged_again(rebuilt[it.pair], it.answer if it.pair in late else None)
            if it.pair in rebuilt
            else self._staged(it, kept[it.pair], loaded.get(it.pair), is_known=it.pair in known)
            for it in readable
        ]
        self._merge_in(staged)
        of_all = {it.pair for it in staged if it.is_rebuilt}
        self._reject([it for it in fetched if it.pair not in known], kept, of_all)
        return {it.pair: self._counts(it) for it in staged}

    def rebuild(self, pairs: Sequence[Pair]) -> tuple[list[Rebuilt], Diff]:
        held = self._row_counts(pairs)
        kept = self._kept_answers(pairs)
        done: dict[Pair, Rebuilt] = {}
        staged: dict[Pair, _Staged] = {}
        for pair in pairs:
            rebuilt = self._rebuilt(pair, kept.pop(pair, []))
            staged[pair] = self._staged_again(rebuilt)
            has_articles = bool(rebuilt.merged.articles)
            done[pair] = replace(rebuilt, merged=Merged(), has_articles=has_articles)
        listed = {it.pair: it.msgids for it in staged.values()}
        for pair, others in self._other_days(listed).items():
            rebuilt = self._with_other_days(pair, others)
            staged[pair] = self._staged_again(rebuilt, of_its_own_day=True)
            done[pair] = replace(done[pair], rejected=rebuilt.rejected, given=rebuilt.given)
        self._merge_in(staged.values())
        known = sum(it.row_count for it in staged.values()) - self._diff.new_rows
        self._diff += Diff(left_rows=max(0, sum(held.values()) - known))
        self._reject_again([*done.values()])
        return [*done.values()], self._diff

    def _reject(
        self,
        fetched: Sequence[Fetched],
        kept: Mapping[Pair, _Kept],
        rebuilt: Collection[Pair],
    ) -> None:
        """Note what of the answers does not fit; resolve the open parts that they give."""
        readable = [it for it in fetched if it.is_readable]
        listings = _as_listings({it.pair: it.answer.msgids for it in readable})
        found = self._execute("rejected_row/open_pairs.sql", listings=listings)
        concerned = {(row.appid, row.publication_date) for row in found}
        concerned |= {
            it.pair for it in readable if it.pair in rebuilt and it.answer.others.rejected
        }
        self._save_rejected(
            (it.pair, kept[it.pair].raw_response_id, rejected)
            for it in readable
            # those of an answer seen before are kept already
            if it.pair not in rebuilt and kept[it.pair].seen_before is None
            for rejected in it.answer.others.rejected
        )
        for pair in sorted(concerned):
            again = self._rebuilt(pair, self._kept_answers([pair])[pair])
            if others := self._other_days({pair: again.merged.articles}).get(pair):
                again = self._with_other_days(pair, others)
            # of the others' rows, the fact holds what the parser of their time made of them
            merged = {kept[pair].raw_response_id} if pair in kept else set()
            self._reject_again([again], None if pair in rebuilt else merged)

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
                row.raw_response_id,
                row.publication_date,
                row.fetched_at,
                row.last_seen_at,
                row.seen_before,
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
                raw_response_line(number, self._dataset, it.pair, it.answer, self._changed_at)
                for number, it in numbered
            ),
        )
        return kept | {
            it.pair: _Kept(number, it.pair[1], it.answer.fetched_at, it.answer.fetched_at)
            for number, it in numbered
        }

    def _with_all_rows(self, again: Sequence[Fetched]) -> set[Pair]:
        """The pairs of which the fact holds as many rows as the answer, or more."""
        held = self._row_counts([it.pair for it in again])
        return {it.pair for it in again if held.get(it.pair, 0) >= len(it.answer.rows)}

    def _row_counts(self, pairs: Sequence[Pair]) -> dict[Pair, int]:
        """How many rows the fact holds of each pair that has any."""
        if not pairs:
            return {}
        rows = self._execute("fact/known_rows.sql", **self._arrays(pairs))
        return {(row.appid, row.publication_date): row.row_count for row in rows}

    def _staged(
        self, it: Fetched, kept: _Kept, loaded: _Loaded | None, *, is_known: bool
    ) -> _Staged:
        """The lines of the pair's newest answer; none of a late one that is known."""
        if _is_late(it, loaded):
            return _Staged(it.pair, (), b"", b"", len(it.answer.rows), has_facts=True)
        # bytes that were seen before: raw_response tells when they were seen again
        end = self._article_end(it.pair, kept.raw_response_id, kept.fetched_at, kept.fetched_at)
        return _Staged(
            it.pair,
            it.answer.msgids,
            end.join([*it.answer.articles, b""]),
            b"" if is_known else self._row_end(it.pair, kept).join([*it.answer.rows, b""]),
            len(it.answer.rows),
            has_facts=loaded is not None and loaded.has_articles,
        )

    def _rebuilt_for(
        self, fetched: Sequence[Fetched], late: Collection[Pair]
    ) -> dict[Pair, Rebuilt]:
        """The pairs that are late, or list an article that another publication day lists."""
        rebuilt: dict[Pair, Rebuilt] = {}
        listed: dict[Pair, Collection[str]] = {it.pair: it.answer.msgids for it in fetched}
        pairs = set(late)
        while True:
            for pair in pairs:
                rebuilt[pair] = self._rebuilt(pair, self._kept_answers([pair])[pair])
                listed[pair] = rebuilt[pair].merged.articles
            others = self._other_days(listed)
            pairs = others.keys() - rebuilt.keys()
            if not pairs:
                return rebuilt | {it: self._with_other_days(it, others[it]) for it in others}

    def _other_days(self, listed: Mapping[Pair, Collection[str]]) -> dict[Pair, _OtherDays]:
        """
        Of the articles that each pair lists, those that other publication days list, too.

        These days are known from loads before, or are among the pairs.
        """
        days: defaultdict[tuple[str, str], set[date]] = defaultdict(set)
        for (appid, day), msgids in listed.items():
            for msgid in msgids:
                days[appid, msgid].add(day)
        listings = _as_listings(listed)
        for row in self._execute("dim_article/listed_elsewhere.sql", listings=listings):
            days[row.appid, row.msgid].update(row.publication_dates)
        others: dict[Pair, _OtherDays] = {}
        for (appid, day), msgids in listed.items():
            shared = {it: days[appid, it] - {day} for it in msgids if len(days[appid, it]) > 1}
            if shared:
                others[appid, day] = shared
        return others

    def _with_other_days(self, pair: Pair, others: _OtherDays) -> Rebuilt:
        """The pair as its kept answers make it, and those of other days its shared articles."""
        appid, _ = pair
        pairs = {pair} | {(appid, day) for days in others.values() for day in days}
        return self._rebuilt(pair, self._answers_of(sorted(pairs)), shared=others.keys())

    def _staged_again(
        self,
        rebuilt: Rebuilt,
        late: PreparedAnswer | None = None,
        *,
        of_its_own_day: bool = False,
    ) -> _Staged:
        """
        The lines of a rebuilt pair.

        Of the articles of a `late` answer it is known when they were seen, even if it is not kept.
        Rows may be limited to articles whose newest answer is of this publication day.
        """
        merged, pair = rebuilt.merged, rebuilt.pair
        seen_late = set(late.msgids) if late else set()
        articles = []
        for msgid, article in merged.articles.items():
            listed_by = merged.listed_by[msgid]
            seen_at = [it.fetched_at for it in listed_by]
            if late and msgid in seen_late:
                seen_at.append(late.fetched_at)
            newest_id = listed_by[-1].raw_response_id
            articles.append(article_line(article))
            articles.append(self._article_end(pair, newest_id, min(seen_at), max(seen_at)))
        with_rows = {
            msgid: article
            for msgid, article in merged.articles.items()
            if not of_its_own_day or merged.listed_by[msgid][-1].publication_date == pair[1]
        }
        ends = {kept: self._row_end(pair, kept) for kept in set(merged.changed_by.values())}
        lines = row_lines(self._dataset, with_rows.values())
        days = ((msgid, day) for msgid, it in with_rows.items() for day in it.rows)
        rows = [line + ends[merged.changed_by[key]] for line, key in zip(lines, days, strict=True)]
        return _Staged(
            pair,
            tuple(merged.articles),
            b"".join(articles),
            b"".join(rows),
            len(rows),
            has_facts=True,
            is_rebuilt=True,
        )

    def _kept_answers(self, pairs: Sequence[Pair]) -> dict[Pair, list[Row[Any]]]:
        """The kept answers of each pair, oldest first."""
        kept: dict[Pair, list[Row[Any]]] = defaultdict(list)
        for row in self._answers_of(pairs):
            kept[row.appid, row.publication_date].append(row)
        return kept

    def _answers_of(self, pairs: Sequence[Pair]) -> Sequence[Row[Any]]:
        """The kept answers of pairs, oldest first."""
        return self._execute("raw_response/of_pairs.sql", **self._arrays(pairs)).all()

    def _rebuilt(
        self, pair: Pair, answers: Sequence[Row[Any]], shared: Collection[str] = ()
    ) -> Rebuilt:
        """All the pair's kept answers as one, with what those of other days say of `shared`."""
        rebuilt = Rebuilt(pair, Merged())
        parts = OpenParts[int](pair[1], self._dataset.window)
        rebuilt.merged = merge_parsed(self._readable(rebuilt, answers, parts, shared))
        rebuilt.rejected, rebuilt.given = parts.open, parts.given
        return rebuilt

    def _readable(
        self,
        rebuilt: Rebuilt,
        answers: Sequence[Row[Any]],
        parts: OpenParts[int],
        shared: Collection[str],
    ) -> Iterator[tuple[_Kept, Parsed]]:
        """The answers but for unreadable ones; what is to be known of the pair's own is noted."""
        for row in answers:
            day = row.publication_date
            kept = _Kept(row.raw_response_id, day, row.fetched_at, row.last_seen_at)
            try:
                parsed = parse(self._dataset, unpacked(bytes(row.body_zstd)), day, row.last_seen_at)
            except UnreadableAnswerError:
                continue
            if day != rebuilt.pair[1]:
                articles = {msgid: it for msgid, it in parsed.articles.items() if msgid in shared}
                elsewhere = replace(parsed, articles=articles)
                parts.take_elsewhere(elsewhere)
                yield kept, elsewhere
                continue
            rebuilt.readable.add(row.raw_response_id)
            parts.take(row.raw_response_id, parsed, day_before(row.last_seen_at))
            rebuilt.newest = Newest(
                row.last_seen_at,
                len(parsed.articles),
                parsed.row_count,
                len(parsed.rejected),
                through_date(parsed.articles.values()),
                parsed.is_delayed,
                parsed.list_sha256,
                not parsed.listing,
                parsed.nothing_fits,
            )
            if rebuilt.newest.has_data:
                rebuilt.newest_with_data = rebuilt.newest
            yield kept, parsed

    def _article_end(self, pair: Pair, raw_response_id: int, *seen_at: datetime) -> bytes:
        return line_end(self._dataset.name, *pair, raw_response_id, *seen_at)

    def _row_end(self, pair: Pair, kept: _Kept) -> bytes:
        loaded_at = changed_at = self._changed_at
        return line_end(*pair, kept.raw_response_id, kept.fetched_at, loaded_at, changed_at)

    def _make_tables_of_rows(self) -> None:
        self._execute("fact/stage.sql")
        self._execute("fact/different.sql")

    def _merge_in(self, staged: Collection[_Staged]) -> None:
        layers = _layers(it for it in staged if not it.is_rebuilt)
        layers += _layers(it for it in staged if it.is_rebuilt)
        for number, layer in enumerate(layers):
            if number:
                self._make_tables_of_rows()
                self._execute("fact/unstage.sql")
            self._merge_articles(layer)
            self._merge_rows(layer)
            if layer[0].is_rebuilt and self._is_applied:
                for dataset in DATASETS.values():
                    self._connection.execute(statement("fact/follow.sql", dataset))

    def _merge_articles(self, staged: Sequence[_Staged]) -> None:
        self._execute("dim_article/stage.sql")
        copy_articles(self._connection, (it.articles for it in staged))
        if staged[0].is_rebuilt:
            self._execute("dim_article/fill.sql")
        if self._cause is Cause.REPLAY:
            self._diff += Diff(articles=self._execute("dim_article/count.sql").scalar_one())
        if self._is_applied:
            self._execute("dim_article/load.sql", changed_at=self._changed_at)
            self._execute("article_sighting/load.sql")
            if staged[0].is_rebuilt:
                self._execute("dim_article/move.sql")

    def _merge_rows(self, staged: Sequence[_Staged]) -> None:
        new = [it for it in staged if it.rows and not it.has_facts]
        known = [it for it in staged if it.rows and it.has_facts]
        if new and not self._insert(new):
            known += new
        if known:
            self._compare(known, are_rebuilt=staged[0].is_rebuilt)

    def _insert(self, staged: Sequence[_Staged]) -> bool:
        """Rows of pairs that have none yet, straight into the fact; False when it has some."""
        fact = f"weixin.{self._dataset.fact}"
        try:
            with self._connection.begin_nested():
                copy_rows(self._connection, fact, self._dataset, (it.rows for it in staged))
        except UniqueViolation:  # the fact holds rows of which coverage knows nothing
            return False
        self._changes |= {it.pair: Counts(inserted=it.row_count) for it in staged}
        return True

    def _compare(self, staged: Sequence[_Staged], *, are_rebuilt: bool) -> None:
        """Rows of pairs that have some: only what is new or differs is written."""
        self._make_tables_of_rows()
        table = f"staged_{self._dataset.fact}"
        copy_rows(self._connection, table, self._dataset, (it.rows for it in staged))
        self._execute("fact/compare.sql", are_rebuilt=are_rebuilt)
        if self._is_applied:
            self._execute("fact_history/save.sql", cause=self._cause)
            self._execute("fact/update.sql")
            self._execute("fact/insert.sql")
            if are_rebuilt:
                self._execute("fact/attribute.sql")
        alike = 0
        for row in self._execute("fact/count.sql").mappings():
            counts = dict(row)
            pair = counts.pop("appid"), counts.pop("publication_date")
            alike += counts.pop("alike")
            self._changes[pair] = Counts(**counts)
        if self._cause is Cause.REPLAY:
            self._note_diff([self._changes.get(it.pair, Counts()) for it in staged], alike)

    def _note_diff(self, changes: Sequence[Counts], renamed: int) -> None:
        figures = [
            FigureDiff(row.metric, row.figure_count, tuple(row.example))
            for row in self._execute("fact/diff.sql")
        ]
        self._diff += Diff(
            new_rows=sum(it.inserted for it in changes),
            changed_rows=sum(it.updated for it in changes),
            renamed_rows=renamed,
            figures=tuple(figures),
        )

    def _counts(self, staged: _Staged) -> Counts:
        changes = self._changes.get(staged.pair, Counts())
        unchanged = staged.row_count - changes.inserted - changes.updated
        return replace(changes, unchanged=unchanged)

    def _reject_again(
        self, rebuilt: Sequence[Rebuilt], merged: Collection[int] | None = None
    ) -> None:
        """
        Resolve rejected parts that later answers gave or that fit now; note those that did fit.

        What an answer says today is in the fact only if it is one of `merged`, by raw_response_id;
        without these, of all that are readable.
        """
        if merged is None:
            merged = set().union(*(it.readable for it in rebuilt))
        parts: dict[_Part, tuple[Pair, int, Rejected]] = {
            _part(number, rejected): (it.pair, number, rejected)
            for it in rebuilt
            for number, rejected in it.rejected
        }
        given = {_part(number, rejected) for it in rebuilt for number, rejected in it.given}
        known: set[_Part] = set()
        resolved: list[int] = []
        for row in self._execute(
            "rejected_row/open.sql", **self._arrays(it.pair for it in rebuilt)
        ):
            digest = bytes(row.payload_sha256)
            part = (
                row.raw_response_id,
                row.msgid,
                row.stat_date,
                row.metric,
                row.reason,
                digest,
            )
            known.add(part)
            if part in given or (row.raw_response_id in merged and part not in parts):
                resolved.append(row.rejected_row_id)
        new = [its for part, its in parts.items() if part not in known and part[0] in merged]
        self._diff += Diff(fitting=len(resolved), rejected=len(new))
        if self._is_applied:
            if resolved:
                self._execute(
                    "rejected_row/resolve.sql",
                    rejected_row_ids=resolved,
                    resolved_at=self._changed_at,
                )
            self._save_rejected(new)

    def _save_rejected(self, parts: Iterable[tuple[Pair, int, Rejected]]) -> None:
        """Parts that do not fit, each with its pair and its answer."""
        rows = list(parts)
        if not rows:
            return
        self._execute(
            "rejected_row/save.sql",
            **self._arrays(pair for pair, *_ in rows),
            msgids=[rejected.msgid for *_, rejected in rows],
            stat_dates=[rejected.stat_date for *_, rejected in rows],
            metrics=[rejected.metric for *_, rejected in rows],
            reasons=[rejected.reason for *_, rejected in rows],
            payloads=[rejected.payload for *_, rejected in rows],
            raw_response_ids=[raw_response_id for _, raw_response_id, _ in rows],
            rejected_at=self._changed_at,
        )


_Part = tuple[int, str | None, date | None, str | None, str, bytes]
"""A rejected part of an answer, as told from others: its payload by the SHA-256."""


def _part(raw_response_id: int, rejected: Rejected) -> _Part:
    digest = hashlib.sha256(rejected.payload.encode()).digest()
    return (
        raw_response_id,
        rejected.msgid,
        rejected.stat_date,
        rejected.metric,
        rejected.reason,
        digest,
    )


def _is_known(it: Fetched, kept: _Kept, loaded: _Loaded | None) -> bool:
    """
    Whether the answer equals a loaded one byte for byte and leaves the order of answers as it is.

    The newest one, row for row: fetched on a later day, the same bytes may hold a row that was too
    early before. Or an older one, at a time at which it is known to have been seen.
    """
    if loaded is None or kept.seen_before is None:
        return False
    if _is_late(it, loaded):
        is_seen_then = kept.fetched_at <= it.answer.fetched_at
        return it.is_readable and is_seen_then and kept.seen_before == kept.last_seen_at
    return kept.seen_before == loaded.fetched_at and loaded.row_count == len(it.answer.rows)


def _as_listings(listed: Mapping[Pair, Collection[str]]) -> str:
    """The articles that pairs list, as statements take them."""
    listings = [
        {"appid": appid, "publication_date": day, "msgids": list(msgids)}
        for (appid, day), msgids in listed.items()
    ]
    return msgspec.json.encode(listings).decode()


def _is_late(it: Fetched, loaded: _Loaded | None) -> bool:
    """Whether a newer answer of the pair is loaded."""
    return loaded is not None and it.answer.fetched_at < loaded.fetched_at


def _layers(staged: Iterable[_Staged]) -> list[list[_Staged]]:
    """
    The pairs in groups that can be merged at once, one group after the other.

    One group, unless two pairs list the same article of an account: then the later day's comes
    first, which the article most likely is of, and what is written counts as its.
    """
    layers: list[list[_Staged]] = []
    free: dict[tuple[str, str], int] = {}
    for it in sorted(staged, key=lambda it: it.pair, reverse=True):
        articles = [(it.pair[0], msgid) for msgid in it.msgids]
        place = max((free.get(article, 0) for article in articles), default=0)
        free |= dict.fromkeys(articles, place + 1)
        if place == len(layers):
            layers.append([])
        layers[place].append(it)
    return layers
