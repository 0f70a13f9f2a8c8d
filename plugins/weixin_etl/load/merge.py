"""
The write side of a load: the statements that put staged answers into one dataset's tables.

`Load` and replay use a `Merge` inside their own transaction. Its methods keep the answers' bytes,
write articles and rows with their history, save rejected parts and save coverage. A slice's newest
answer overwrites stored values field by field. A history (all kept answers of a slice, merged)
replaces the stored values of its rows. Unchanged rows are not rewritten.
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
    """The state of a slice in the warehouse before a load."""

    coverage: Coverage
    """The row of coverage; an empty one if the slice was never asked for."""
    raw_response_id: int | None
    """The id of the newest kept answer; None, as the next two, if no answer is kept."""
    body_sha256: bytes | None
    """The hash of the newest kept answer."""
    last_seen_at: datetime | None
    """When the newest kept answer was last received."""
    next_raw_response_id: int
    """The id under which a further answer is kept."""
    has_open_parts: bool
    """Whether a rejected part of the slice is open."""
    described_at: datetime | None
    """When another dataset's newest answer about the slice's articles was last received."""


class Merge:
    """The writer of one dataset's tables, in a transaction that the caller begins and ends."""

    def __init__(
        self, connection: Connection, dataset: Dataset, changed_at: datetime, slices: list[Slice]
    ) -> None:
        """
        Read the state of the slices. Nothing is written yet.

        Args:
            connection: a connection on which `begin_load` was called.
            dataset: the dataset whose tables are written.
            changed_at: the instant that all changes get.
            slices: the accounts and days whose answers are loaded or merged again.
        """
        self.connection = connection
        self.dataset = dataset
        self._common = {"dataset": dataset.name, "changed_at": changed_at}
        self.falls = defaultdict[Slice, list[Fall]](list)
        """The totals that became lower by what was merged, by slice."""
        self.changed_from: dict[Slice, date] = {}
        """The first day of which rows or rejected parts were written, by slice."""
        rows = self.execute("coverage/before.sql", **slice_arrays(dataset, slices))
        self.stored = {(row.appid, row.day): _stored_slice(row) for row in rows}
        """The state of each slice in the warehouse before the load."""

    def execute(self, path: str, **values: Any) -> CursorResult[Any]:
        """
        Execute the statement in `sql/<path>`, rendered for the dataset, and return its result.

        The parameters are the given values, the dataset's name, and `changed_at`.
        """
        return self.connection.execute(statement(path, self.dataset), {**self._common, **values})

    def is_out_of_order(self, answer: StagedAnswer) -> bool:
        """Return whether a newer answer of the slice was kept before. Failed calls count too."""
        newest = self.stored[answer.slice].last_seen_at
        return newest is not None and answer.evidence.at < newest

    def keep_answers(self, answers: Sequence[StagedAnswer]) -> list[StagedAnswer]:
        """
        Keep the bytes of all answers in `raw_response`, those of out-of-order answers too.

        If an answer has the same bytes as the slice's newest kept answer, only the time of that
        answer is updated.

        Returns:
            The answers, each with the id of its kept bytes and the columns that end its lines in
            COPY (`row_end`): first the repeated ones, then the new ones. Out-of-order answers come
            last, without both, as their rows are not merged.
        """
        out_of_order, repeated, new = [], [], []
        for answer in answers:
            before = self.stored[answer.slice]
            if self.is_out_of_order(answer):
                out_of_order.append(answer)
            elif answer.body_sha256 == before.body_sha256:
                repeated.append(self._with_id(answer, before.raw_response_id or 0))
            else:
                new.append(self._with_id(answer, before.next_raw_response_id))
        if repeated:
            ids = [answer.raw_response_id for answer in repeated]
            instants = [answer.evidence.at for answer in repeated]
            self.execute("raw_response/see.sql", raw_response_ids=ids, seen_ats=instants)
        if new:
            keep_bytes(self.connection, self.dataset, new)
        if out_of_order:
            self._keep_out_of_order(out_of_order)
        return repeated + new + out_of_order

    def _keep_out_of_order(self, answers: Sequence[StagedAnswer]) -> None:
        """
        Insert answers into `raw_response` unless the same bytes are kept with the same time.

        This is the statement of the import. It takes longer than COPY, but the same bytes may be
        kept already, as an older answer.
        """
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

    def _with_id(self, answer: StagedAnswer, raw_response_id: int) -> StagedAnswer:
        """Return the answer with the id of its kept bytes, and with the end of its COPY lines."""
        end = row_end(self.dataset, answer.slice, raw_response_id, answer.evidence.at)
        return replace(answer, raw_response_id=raw_response_id, row_end=end)

    def merge(self, answers: Sequence[StagedAnswer]) -> dict[Slice, Counts]:
        """
        Write the answers' articles, rows and history, and add to `falls` the totals that fell.

        A single answer overwrites stored values field by field. A history replaces the stored
        values of its rows. Answers that list the same article are written one after the other.

        Returns:
            The numbers of inserted, updated and unchanged rows of each slice of the answers.
        """
        if not answers:
            return {}
        counts: dict[Slice, Counts] = {}
        self.execute("fact/stage.sql")
        for group in _statement_groups(self.dataset, answers):
            if counts:
                self.execute("fact/empty_stage.sql")
            counts |= self._merge_group(group)
        return counts

    def _merge_group(self, answers: Sequence[StagedAnswer]) -> dict[Slice, Counts]:
        """
        Merge the answers of one group of `_statement_groups`, and return the counts by slice.

        The rows are copied into a temporary table first. If all articles are new, the rows are
        inserted without a comparison. The totals that fell are added to `falls`. The rows of
        articles that two days list are moved to the later day.
        """
        is_history = answers[0].is_history
        are_new, *moved_articles = self._merge_articles(answers, is_history=is_history)
        # A generator: the lines are many, and COPY needs them once.
        lines = (answer.row_end.join([*answer.rows, b""]) for answer in answers)
        copy(self.connection, f"staged_{self.dataset.fact} ({row_columns(self.dataset)})", lines)
        if are_new:
            self.execute("fact/insert.sql")
            self.changed_from |= {answer.slice: answer.day for answer in answers if answer.rows}
            return {answer.slice: Counts(inserted=len(answer.rows)) for answer in answers}
        counts = {answer.slice: Counts(unchanged=len(answer.rows)) for answer in answers}
        for row in self.execute("fact/merge.sql", is_history=is_history):
            slice_ = row.appid, row.day
            counts[slice_] += Counts(0, row.inserted, row.updated, -row.inserted - row.updated)
            self.changed_from[slice_] = row.first_date
            for msgid, stat_date, *fall in row.falls or ():
                self.falls[slice_].append(Fall(msgid, date.fromisoformat(stat_date), *fall))
        self._move_rows(*moved_articles)
        return counts

    def note_falls_between_rows(self, answers: Sequence[StagedAnswer]) -> None:
        """
        Add the answers' falls between two rows to `falls`, if this load wrote one of the rows.

        A total that is also lower than its stored value is not added again.
        """
        falls = [(answer.slice, fall) for answer in answers for fall in answer.falls]
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
            slice_, fall = falls[row.number - 1]
            if fall.total not in {noted.total for noted in self.falls[slice_]}:
                self.falls[slice_].append(fall)

    def _merge_articles(
        self, answers: Sequence[StagedAnswer], *, is_history: bool
    ) -> Sequence[Any]:
        """
        Write the answers' articles.

        Returns:
            Whether all articles are new. Then the AppIDs, the msgids and the earlier publication
            days of the articles that two publication days list.
        """
        if not self.dataset.describes_articles:
            return False, [], [], []
        articles = b",".join(answer.articles for answer in answers if answer.articles)
        values = {"articles": f"[{articles.decode()}]", "is_history": is_history}
        return self.execute("dim_article/load.sql", **values).one()

    def _move_rows(
        self,
        appids: Sequence[str] | None,
        msgids: Sequence[str] | None,
        earlier_dates: Sequence[date] | None,
    ) -> None:
        """
        Move the rows of articles that two days list to the later publication day.

        The rows of all datasets with articles are moved. Without AppIDs nothing happens.
        """
        if not (appids and earlier_dates):
            return
        for dataset in ARTICLE_DATASETS.values():
            move = statement("fact/follow.sql", dataset)
            self.connection.execute(move, {"appids": appids, "msgids": msgids})
            self.mark_account_days(dataset, [*zip(appids, earlier_dates, strict=True)])

    def mark_account_days(self, dataset: Dataset, first_days: Collection[tuple[str, date]]) -> None:
        """Mark account days as stale: of each AppID from the given first day on."""
        if first_days and dataset.describes_articles:
            values = slice_arrays(dataset, first_days)
            self.connection.execute(statement("account_day/mark.sql"), values)

    def save_unlisted(self, path: str, listings: Sequence[Mapping[str, object]]) -> None:
        """
        Save since when articles are not listed, with the statement in `sql/<path>`.

        Nothing happens without listings, or if the dataset's answers do not describe articles. The
        statement says which keys a listing has.
        """
        if listings and self.dataset.describes_articles:
            self.execute(path, rows=as_json(listings))

    def save_rejected(self, answers: Sequence[StagedAnswer]) -> int:
        """
        Save the answers' rejected parts. Open parts that no longer occur become resolved.

        Returns:
            How many parts were opened or resolved.
        """
        stored = self.stored
        concerned = [
            answer for answer in answers if answer.rejected or stored[answer.slice].has_open_parts
        ]
        if not concerned:
            return 0
        parts = [
            {
                "appid": answer.account.appid,
                "day": answer.day,
                "raw_response_id": answer.raw_response_id,
                **asdict(part),
            }
            for answer in concerned
            for part in answer.rejected
        ]
        changed = self.execute(
            "rejected_row/save.sql",
            **slice_arrays(self.dataset, [answer.slice for answer in concerned]),
            parts=as_json(parts),
        )
        number = int(changed.scalar_one())
        if number:
            self.changed_from |= {answer.slice: answer.day for answer in concerned}
        return number

    def save_coverage(self, rows: Mapping[Slice, Coverage]) -> None:
        """Insert or overwrite the row of coverage of each slice."""
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


def _stored_slice(row: Row[Any]) -> StoredSlice:
    """Return the state of a slice, given its row of `coverage/before.sql`."""
    raw_response_id, sha256, *more = [*row][2:8]
    coverage = coverage_from_row(row[8:]) if row.attempted_at else Coverage()
    return StoredSlice(coverage, raw_response_id, sha256 and bytes(sha256), *more)


def _statement_groups(
    dataset: Dataset, answers: Sequence[StagedAnswer]
) -> Iterator[list[StagedAnswer]]:
    """
    Yield groups of answers that one statement can merge.

    A group holds either histories or single answers. No two of its answers list the same article.
    """
    for group in _distinct_articles(answers) if dataset.describes_articles else [answers]:
        for is_history in (False, True):
            if part := [answer for answer in group if answer.is_history == is_history]:
                yield part


def _distinct_articles(answers: Sequence[StagedAnswer]) -> Iterator[list[StagedAnswer]]:
    """
    Yield all answers in groups in which no article of an account is listed twice.

    If two days of an account list the same article, the later day is in the earlier group.
    """
    remaining = sorted(answers, key=lambda answer: answer.slice, reverse=True)
    while remaining:
        group, postponed = list[StagedAnswer](), list[StagedAnswer]()
        listed = defaultdict[str, set[str]](set)
        for answer in remaining:
            listed_msgids = listed[answer.account.appid]
            is_distinct = listed_msgids.isdisjoint(answer.msgids)
            (group if is_distinct else postponed).append(answer)
            listed_msgids.update(answer.msgids)
        yield group
        remaining = postponed
