"""
The verb replay: facts rebuilt from the kept answers, without a call to WeChat. Knows no Airflow.

A pair's answers are read again by today's parser and merged in the order they were last seen; what
that makes of the pair is compared with the fact. A diff ends there, and writes nothing; otherwise
the same differences are written, in commits of whole pairs. No row is deleted.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock
from weixin_etl.json_text import one_line
from weixin_etl.kept.answers import Selection, commits, count_selected
from weixin_etl.load import merge
from weixin_etl.load.coverage import Answered, Had, judge_again, save_data, verdicts, wake
from weixin_etl.load.merge import Diff, Rebuilt
from weixin_etl.model import AttemptState, DataState, Pair, ParameterError
from weixin_etl.warehouse import diagnose, follow_clock, require_migrated, statement
from weixin_etl.warehouse.locks import lock_load


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
        diff = self.diff
        return not any(
            (
                diff.new_rows,
                diff.changed_rows,
                diff.renamed_rows,
                diff.articles,
                diff.fitting,
                diff.rejected,
                self.coverage,
                self.judged,
            )
        )

    def sentences(self) -> list[str]:
        """What there is to say of it, but for the figures."""
        diff = self.diff
        said = f"{self.pairs} pairs of account and publication day, {self.answers} answers read"
        if self.is_empty:
            said += ": the fact is what they say, nothing changes"
        else:
            said += ". This was written:" if self.is_applied else ". This would change:"
        counts = {
            "rows are new": diff.new_rows,
            "rows get other values": diff.changed_rows,
            "rows keep their values, but another answer was the last to change them": (
                diff.renamed_rows
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
            f"{it.metric}: {it.count} figures; for example {appid} {one_line(msgid)} {stat_date}: "
            f"{_shown(old)} → {_shown(new)}"
            for it in self.diff.figures
            for appid, msgid, stat_date, old, new in (it.example,)
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
        ParameterError: an account is not known, or the days are in the wrong order.
        WarehouseError: the warehouse does not answer or is not migrated.

    """
    if selection.begin_date and selection.end_date and selection.begin_date > selection.end_date:
        raise ParameterError(
            f"begin_date {selection.begin_date} is after end_date {selection.end_date}"
        )
    require_migrated(warehouse)
    follow_clock(warehouse)
    try:
        return _Replay(warehouse, selection, ready_hour, is_applied, now).run(on_progress)
    except Exception as error:
        if passing := diagnose(error, warehouse):
            raise passing from None
        raise


class _Replay:
    def __init__(
        self,
        warehouse: Engine,
        selection: Selection,
        ready_hour: int,
        is_applied: bool,
        now: Callable[[], datetime],
    ) -> None:
        self._warehouse = warehouse
        self._selection = selection
        self._dataset = selection.dataset
        self._ready_hour = ready_hour
        self._is_applied = is_applied
        self._now = now
        self._unjudged: dict[Pair, Answered] = {}

    def run(self, on_progress: Callable[[int, int], None]) -> Replayed:
        total = count_selected(self._warehouse, self._selection)
        done = Replayed(self._is_applied)
        for pairs, complete in commits(self._warehouse, self._selection):
            part = self._commit([(it.appid, it.publication_date) for it in pairs], complete)
            done = Replayed(
                self._is_applied,
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
        with self._warehouse.begin() as connection:
            lock_load(connection, appids)
            connection.execute(statement("fact/pin_plan.sql"))
            rebuilt, diff = merge.rebuild(
                connection,
                self._dataset,
                pairs,
                changed_at=self._now(),
                is_applied=self._is_applied,
            )
            coverage = self._coverage(connection, rebuilt)
            judged = self._judge(connection, complete) if self._is_applied else 0
        return Replayed(self._is_applied, diff=diff, coverage=coverage, judged=judged)

    def _coverage(self, connection: Connection, rebuilt: Sequence[Rebuilt]) -> int:
        """Correct what coverage says we have of the pairs; of how many it said otherwise."""
        values = {
            "datasets": [self._dataset.name] * len(rebuilt),
            "appids": [it.pair[0] for it in rebuilt],
            "publication_dates": [it.pair[1] for it in rebuilt],
        }
        rows = connection.execute(statement("coverage/of_pairs.sql"), values)
        known = {(row.appid, row.publication_date): row for row in rows}
        others = []
        for it in rebuilt:
            held = known.get(it.pair)
            row = _had(it)
            if row and (held is None or _differs(row, held)):
                others.append(row)
            self._note_unjudged(it, held)
        if others and self._is_applied:
            save_data(connection, self._dataset, others)
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
            # what came later, of any pair, does not show what WeChat had computed then
            self._unjudged[it.pair] = Answered(
                it.pair,
                newest.fetched_at,
                newest.is_delayed,
                newest.list_sha256,
                newest.is_empty,
                newest.rejected,
                as_of=newest.fetched_at,
            )

    def _judge(self, connection: Connection, complete: Collection[str]) -> int:
        asked = [it for it in self._unjudged.values() if it.appid in complete]
        for it in asked:
            del self._unjudged[it.pair]
        if not asked:
            return 0
        found = verdicts(connection, self._dataset, asked, ready_hour=self._ready_hour)
        ready = {
            it.pair: (it.fetched_at, found[it.pair]) for it in asked if found[it.pair].is_ready
        }
        judged = judge_again(connection, self._dataset, ready)
        wake(connection, self._dataset, asked)
        return judged


def _had(it: Rebuilt) -> dict[str, object] | None:
    """What coverage should say of the pair; None when no answer tells what was published."""
    newest = it.newest_with_data
    if newest is None:
        return None
    state = DataState.LOADED if it.has_articles else DataState.EMPTY
    return Had(
        it.pair,
        newest.fetched_at,
        state,
        newest.article_count,
        newest.row_count,
        newest.through_date,
    ).as_row()


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
