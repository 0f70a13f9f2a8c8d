"""
The verb replay: facts rebuilt from the kept answers, without a call to WeChat. Knows no Airflow.

A pair's answers are read again by today's parser and merged in the order they were last seen; what
that makes of the pair is compared with the fact. A diff ends there, and writes nothing; otherwise
the same differences are written, in commits of whole pairs. No row is deleted.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Row

from weixin_etl import clock
from weixin_etl.kept.answers import Selection, commits, count_selected
from weixin_etl.load import rollups
from weixin_etl.load.coverage import data_columns, judge_again, save_data, verdicts, wake
from weixin_etl.load.parts import open_parts, settle, settled_parts
from weixin_etl.load.rebuild import Merged, Rebuilt, rebuild, staged_again
from weixin_etl.load.stage import Staged
from weixin_etl.load.tables import Tables
from weixin_etl.model import AttemptState, Cause, DataState, Pair, Summary
from weixin_etl.text import counted, one_line
from weixin_etl.warehouse import diagnosed, follow_clock, require_migrated, statement
from weixin_etl.warehouse.locks import lock_load


@dataclass(frozen=True, slots=True)
class FigureDiff:
    """A metric that a replay gives other values."""

    metric: str
    count: int
    example: tuple[str, str, str, str | None, str | None]
    """AppID, msgid or channel if there is one, stat_date, value before and after."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What a replay changes in the tables, or would change."""

    new_rows: int = 0
    changed_rows: int = 0
    attributed_rows: int = 0
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
        names = [it.name for it in fields(Diff) if it.name != "figures"]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names}
        figures = tuple(FigureDiff(name, counts[name], examples[name]) for name in sorted(counts))
        return Diff(**sums, figures=figures)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay read, and what it changed or would change."""

    is_applied: bool
    pairs: int = 0
    answers: int = 0
    diff: Diff = field(default_factory=Diff)
    coverage: int = 0
    """Pairs of which coverage says otherwise what we have."""
    judged: int = 0
    """Pairs found to be ready or final that were not, or judged otherwise; a diff can't know."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        changed = replace(self.diff, left_rows=0)
        return changed == Diff() and not self.coverage and not self.judged

    def sentences(self) -> list[str]:
        """What there is to say of it, but for the figures."""
        diff = self.diff
        said = (
            f"{counted(self.pairs, 'pair')} of account and publication day, "
            f"{counted(self.answers, 'answer')} read"
        )
        if self.is_empty:
            said += ": the fact is what they say, nothing changes"
        else:
            said += ". This was written:" if self.is_applied else ". This would change:"
        counts = {
            "rows are new": diff.new_rows,
            "rows get other values": diff.changed_rows,
            "rows keep their values, but another answer was the last to change them": (
                diff.attributed_rows
            ),
            "articles are new or get other attributes": diff.articles,
            "rejected parts fit now, were given by a later answer, or have another reason": (
                diff.fitting
            ),
            "parts are rejected that were not, or for another reason": diff.rejected,
            "pairs have other counts in coverage": self.coverage,
            "pairs are ready, final, or judged otherwise now": self.judged,
            "rows are in no kept answer: they stay as they are": diff.left_rows,
        }
        return [said, *(f"{count} {what}" for what, count in counts.items() if count)]

    def figures(self) -> list[str]:
        """A sentence for each metric that gets other values."""
        return [
            f"{it.metric}: {it.count} figures; for example {' '.join(filter(None, key))}: "
            f"{_shown(old)} → {_shown(new)}"
            for it in self.diff.figures
            for appid, item, stat_date, old, new in (it.example,)
            for key in ((appid, one_line(item), stat_date),)
        ]


def _shown(value: str | None) -> str:
    return "none" if value is None else one_line(value, 60)


def replay(
    warehouse: Engine,
    selection: Selection,
    *,
    ready_hour: int,
    is_applied: bool,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    now: Callable[[], datetime] = clock.now,
) -> Replayed:
    """
    Make the facts what the selected answers say; without `is_applied` only find out what differs.

    `on_progress` is called after each commit with the answers read so far and all there are.

    Raises:
        ParameterError: an account is not known.
        WarehouseError: the warehouse does not answer or is not migrated.
    """
    require_migrated(warehouse)
    follow_clock(warehouse)
    with diagnosed(warehouse):
        return _Replay(warehouse, selection, ready_hour, is_applied, now).run(on_progress)


@dataclass(slots=True)
class _Replay:
    """One replay, commit by commit."""

    warehouse: Engine
    selection: Selection
    ready_hour: int
    is_applied: bool
    now: Callable[[], datetime]
    unjudged: dict[Pair, Summary] = field(default_factory=dict)
    """The newest answers of accounts that have more pairs in later commits."""

    def run(self, on_progress: Callable[[int, int], None]) -> Replayed:
        total = count_selected(self.warehouse, self.selection)
        done = Replayed(self.is_applied)
        for pairs, complete in commits(self.warehouse, self.selection):
            part = self._commit([(it.appid, it.publication_date) for it in pairs], complete)
            done = Replayed(
                self.is_applied,
                done.pairs + len(pairs),
                done.answers + sum(it.answer_count for it in pairs),
                done.diff + part.diff,
                done.coverage + part.coverage,
                done.judged + part.judged,
            )
            on_progress(done.answers, total)
        return done

    def _commit(self, pairs: Sequence[Pair], complete: Collection[str]) -> Replayed:
        """
        Rebuild some pairs, and judge those of accounts that are `complete` with them.

        It waits for loads of these accounts, and they for it: the lock is theirs.
        """
        appids = sorted({appid for appid, _ in pairs})
        with self.warehouse.begin() as connection:
            lock_load(connection, appids)
            connection.execute(statement("fact/pin_plan.sql"))
            tables = Tables(connection, self.selection.dataset, self.now(), Cause.REPLAY)
            judged_pairs = [pair for pair in self.unjudged if pair[0] in complete]
            before = tables.loaded(concerned := {*pairs, *judged_pairs})
            rebuilt, diff = self._rebuild(tables, pairs)
            coverage = self._coverage(tables, rebuilt)
            judged = self._judge(tables, complete) if self.is_applied else 0
            if self.is_applied:
                rollups.keep(tables, concerned, before)
        return Replayed(self.is_applied, diff=diff, coverage=coverage, judged=judged)

    def _rebuild(self, tables: Tables, pairs: Sequence[Pair]) -> tuple[list[Rebuilt], Diff]:
        """Make pairs what their kept answers say, or find out what that would change."""
        held = sum(tables.row_counts(pairs).values())
        done: dict[Pair, Rebuilt] = {}
        staged: dict[Pair, Staged] = {}
        for it, is_shared in rebuild(tables, pairs):
            staged[it.pair] = staged_again(tables, it, of_its_own_day=is_shared)
            it.merged = Merged()  # it takes much memory
            done[it.pair] = it
        diff = self._merge(tables, staged.values()) + self._settle_parts(tables, done)
        known = sum(it.row_count for it in staged.values()) - diff.new_rows
        return [*done.values()], diff + Diff(left_rows=max(0, held - known))

    def _merge(self, tables: Tables, staged: Collection[Staged]) -> Diff:
        diff = Diff()
        for layer in tables.stage(staged):
            if tables.dataset.describes_articles:
                diff += Diff(articles=tables.execute("dim_article/count.sql").scalar_one())
            if self.is_applied:
                tables.load_articles(layer)
            tables.compare(layer)
            if self.is_applied:
                tables.load_rows(layer)
                tables.follow(layer)
            diff += _difference(tables)
        return diff

    def _settle_parts(self, tables: Tables, done: Mapping[Pair, Rebuilt]) -> Diff:
        known = open_parts(tables, dict.fromkeys(done, ()))
        settled = [
            settled_parts(it.pair, it.parts, known.get(it.pair, {}), it.readable)
            for it in done.values()
        ]
        resolved = [number for numbers, _ in settled for number in numbers]
        new = [it for _, parts in settled for it in parts]
        if self.is_applied:
            settle(tables, resolved, new)
        return Diff(fitting=len(resolved), rejected=len(new))

    def _coverage(self, tables: Tables, rebuilt: Sequence[Rebuilt]) -> int:
        """Correct what coverage says we have of the pairs; of how many it said otherwise."""
        known = tables.loaded([it.pair for it in rebuilt])
        others: dict[Pair, Summary] = {}
        for it in rebuilt:
            held, newest = known.get(it.pair), it.newest_with_data
            if newest and (held is None or _differs(data_columns(it.pair, newest), held)):
                others[it.pair] = newest
            self._note_unjudged(it, held)
        if others and self.is_applied:
            save_data(tables, others)
        return len(others)

    def _note_unjudged(self, it: Rebuilt, held: Row[Any] | None) -> None:
        """Note the pair's newest answer, unless it can't make the pair more than it is."""
        newest = it.newest
        if newest is None or newest.nothing_fits:
            return
        is_done = (
            held is not None
            and held.is_final
            and held.ready_at >= newest.fetched_at
            and held.attempt_state in (None, AttemptState.OK)
        )
        if not is_done:
            self.unjudged[it.pair] = newest

    def _judge(self, tables: Tables, complete: Collection[str]) -> int:
        asked = {pair: it for pair, it in self.unjudged.items() if pair[0] in complete}
        if not asked:
            return 0
        for pair in asked:
            del self.unjudged[pair]
        found = verdicts(tables, asked, ready_hour=self.ready_hour, are_together=False)
        ready = {pair: it for pair, it in found.items() if it.is_ready}
        judged = judge_again(tables, asked, ready)
        wake(tables, asked)
        return judged


def _difference(tables: Tables) -> Diff:
    """What the rows of a layer change, or would change."""
    counts = tables.execute("fact/count.sql").all()
    figures = tables.execute("fact/diff.sql")
    return Diff(
        new_rows=sum(row.inserted for row in counts),
        changed_rows=sum(row.updated for row in counts),
        attributed_rows=sum(row.attributed for row in counts),
        figures=tuple(
            FigureDiff(row.metric, row.figure_count, tuple(row.example)) for row in figures
        ),
    )


def _differs(row: dict[str, object], held: Row[Any]) -> bool:
    """
    Whether coverage says otherwise, or of an older answer.

    What a newer answer made it say stays, if today's parser finds nothing in that one.
    """
    if held.fetched_at > row["fetched_at"]:
        return False
    if held.data_state == DataState.LOADED:
        row = {**row, "data_state": DataState.LOADED}
    return any(getattr(held, name) != value for name, value in row.items())
