"""
Pairs into raw answers, articles, rows, their history and rejected parts, in a transaction.

A pair's newest answer is written over what is there, field by field; a fold of all its kept answers
replaces what is there. What stays as it is is not written.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, Row

from weixin_etl.datasets import ARTICLE_DATASETS, Dataset
from weixin_etl.load.falls import Fall
from weixin_etl.load.stage import StagedAnswer, copy, keep_bytes, row_columns, row_end
from weixin_etl.model import Counts, Coverage, Slice
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.statements import as_json, coverage_from_row, slice_arrays


@dataclass(frozen=True, slots=True)
class StoredSlice:
    """What the warehouse has of a pair before a load."""

    coverage: Coverage
    raw_response_id: int | None
    """Of its newest answer, as the rest."""
    body_sha256: bytes | None
    last_seen_at: datetime | None
    next_raw_response_id: int
    """Where a further answer is kept."""
    has_open_parts: bool
    """Whether a rejected part is open."""
    described_at: datetime | None
    """When another dataset was last answered that describes the pair's articles."""

    def is_described_since(self, at: datetime) -> bool:
        """Return whether a newer answer of another dataset describes the pair's articles."""
        return self.described_at is not None and at < self.described_at


def is_out_of_order(answer: StagedAnswer, known: StoredSlice) -> bool:
    """Return whether a newer answer of the pair is kept already; also of a refusal."""
    return known.last_seen_at is not None and answer.evidence.at < known.last_seen_at


class Merge:
    """A dataset's tables in a transaction of the caller, and one instant for all that changes."""

    def __init__(self, connection: Connection, dataset: Dataset, changed_at: datetime) -> None:
        """After `begin_load`; write nothing yet."""
        self.connection = connection
        self.dataset = dataset
        self._common = {"dataset": dataset.name, "changed_at": changed_at}
        self.falls = defaultdict[Slice, list[Fall]](list)
        """The totals that fell by what was merged."""

    def execute(self, path: str, **values: Any) -> CursorResult[Any]:
        """Execute a statement of the dataset."""
        return self.connection.execute(statement(path, self.dataset), {**self._common, **values})

    def known(self, pairs: Collection[Slice]) -> dict[Slice, StoredSlice]:
        """What the warehouse has of each pair."""
        rows = self.execute("coverage/before.sql", **slice_arrays(self.dataset, pairs))
        return {(row.appid, row.day): _known(row) for row in rows}

    def keep(
        self, answers: Sequence[StagedAnswer], known: Mapping[Slice, StoredSlice]
    ) -> list[StagedAnswer]:
        """Keep the bytes of answers that are not the pair's newest again; the answers, as kept."""
        late, seen, new = [], [], []
        for it in answers:
            before = known[it.slice]
            if is_out_of_order(it, before):
                late.append(it)
            elif it.body_sha256 == before.body_sha256:
                seen.append(self._kept(it, before.raw_response_id or 0))
            else:
                new.append(self._kept(it, before.next_raw_response_id))
        if seen:
            ids, instants = [it.raw_response_id for it in seen], [it.evidence.at for it in seen]
            self.execute("raw_response/see.sql", raw_response_ids=ids, seen_ats=instants)
        if new:
            keep_bytes(self.connection, self.dataset, new)
        if late:
            self._keep_late(late)
        return seen + new + late

    def _keep_late(self, answers: Sequence[StagedAnswer]) -> None:
        """Keep answers as `import` does: one may be kept already that is not the newest."""
        rows = [
            {
                "dataset": self.dataset.name,
                "appid": answer.account.appid,
                "day": answer.day,
                "body": answer.body_zstd.hex(),
                "body_sha256": answer.body_sha256.hex(),
                "fetched_at": answer.evidence.at,
            }
            for answer in answers
        ]
        self.execute("raw_response/import.sql", rows=as_json(rows))

    def _kept(self, it: StagedAnswer, raw_response_id: int) -> StagedAnswer:
        end = row_end(self.dataset, it.slice, raw_response_id, it.evidence.at)
        return replace(it, raw_response_id=raw_response_id, row_end=end)

    def merge(self, answers: Sequence[StagedAnswer]) -> dict[Slice, Counts]:
        """Write articles and rows; what that did, by pair."""
        if not answers:
            return {}
        done: dict[Slice, Counts] = {}
        self.execute("fact/stage.sql")
        for part in _parts(self.dataset, answers):
            if done:
                self.execute("fact/empty_stage.sql")
            done |= self._merge_round(part)
        return done

    def _merge_round(self, answers: Sequence[StagedAnswer]) -> dict[Slice, Counts]:
        """The same of answers that `_parts` puts together."""
        is_history = answers[0].is_history
        are_new, *of_two_days = self._merge_articles(answers, is_history=is_history)
        lines = (it.row_end.join([*it.rows, b""]) for it in answers)  # not kept: they are many
        copy(self.connection, f"staged_{self.dataset.fact}", row_columns(self.dataset), lines)
        if are_new:
            self.execute("fact/insert.sql")
            return {it.slice: Counts(inserted=len(it.rows)) for it in answers}
        did = {}
        for row in self.execute("fact/merge.sql", is_history=is_history):
            unchanged = -row.inserted - row.updated
            did[row.appid, row.day] = Counts(0, row.inserted, row.updated, unchanged)
            for msgid, stat_date, *fall in row.falls or ():
                day = date.fromisoformat(stat_date)
                self.falls[row.appid, row.day].append(Fall(msgid, day, *fall))
        self._follow(*of_two_days)
        return {
            it.slice: Counts(unchanged=len(it.rows)) + did.get(it.slice, Counts()) for it in answers
        }

    def note_falls_between_rows(self, answers: Sequence[StagedAnswer]) -> None:
        """
        Note the falls between rows of answers one of which this transaction has written.

        Not again those of a total that is lower than it was stored as well.
        """
        falls = [(it.slice, fall) for it in answers for fall in it.falls]
        if not falls:
            return
        written = self.execute(
            "fact/written.sql",
            appids=[appid for (appid, _), _ in falls],
            msgids=[fall.msgid for _, fall in falls],
            stat_dates=[fall.stat_date for _, fall in falls],
            earlier_dates=[fall.earlier_date for _, fall in falls],
        )
        for row in written:
            pair, fall = falls[row.number - 1]
            if fall.total not in {known.total for known in self.falls[pair]}:
                self.falls[pair].append(fall)

    def _merge_articles(self, answers: Sequence[StagedAnswer], *, is_history: bool) -> Sequence[Any]:
        """Articles; whether all are new, and the accounts and msgids of those of two days."""
        if not self.dataset.describes_articles:
            return False, [], []
        articles = b",".join(it.articles for it in answers if it.articles)
        values = {"articles": f"[{articles.decode()}]", "is_history": is_history}
        return self.execute("dim_article/load.sql", **values).one()

    def _follow(self, appids: Sequence[str] | None, msgids: Sequence[str] | None) -> None:
        """Let the rows of articles that two days list be of the later one."""
        for dataset in ARTICLE_DATASETS.values() if appids else ():
            follow = statement("fact/follow.sql", dataset)
            self.connection.execute(follow, {"appids": appids, "msgids": msgids})

    def unlist(self, path: str, what: Sequence[Mapping[str, object]]) -> None:
        """Note since when articles are not listed."""
        if what and self.dataset.describes_articles:
            self.execute(path, rows=as_json(what))

    def reject(self, answers: Sequence[StagedAnswer], known: Mapping[Slice, StoredSlice]) -> int:
        """
        Write down what does not fit; an open part that does not occur any more is resolved.

        Of how many parts that is news.
        """
        concerned = [it for it in answers if it.rejected or known[it.slice].has_open_parts]
        if not concerned:
            return 0
        parts = [
            {
                "appid": it.slice[0],
                "day": it.day,
                "raw_response_id": it.raw_response_id,
                **asdict(part),
            }
            for it in concerned
            for part in it.rejected
        ]
        changed = self.execute(
            "rejected_row/save.sql",
            **slice_arrays(self.dataset, [it.slice for it in concerned]),
            parts=as_json(parts),
        )
        return int(changed.scalar_one())

    def save(self, rows: Mapping[Slice, Coverage]) -> None:
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


def _known(row: Row[Any]) -> StoredSlice:
    raw_response_id, sha256, *more = [*row][2:8]
    coverage = coverage_from_row(row[8:]) if row.attempted_at else Coverage()
    return StoredSlice(coverage, raw_response_id, sha256 and bytes(sha256), *more)


def _parts(dataset: Dataset, answers: Sequence[StagedAnswer]) -> Iterator[list[StagedAnswer]]:
    """Yield the answers that one statement can take: only folds, or none."""
    for together in _rounds(answers) if dataset.describes_articles else [answers]:
        for is_history in (False, True):
            if part := [answer for answer in together if answer.is_history == is_history]:
                yield part


def _rounds(answers: Sequence[StagedAnswer]) -> Iterator[list[StagedAnswer]]:
    """Answers in parts, none of which lists an article twice: by account, the later day first."""
    left = sorted(answers, key=lambda it: it.slice, reverse=True)
    while left:
        now, later = list[StagedAnswer](), list[StagedAnswer]()
        listed = defaultdict[str, set[str]](set)
        for it in left:
            of_account = listed[it.account.appid]
            (now if of_account.isdisjoint(it.msgids) else later).append(it)
            of_account.update(it.msgids)
        yield now
        left = later
