"""
The verb prune: kept answers deleted that nothing needs any more. Knows no Airflow.

An answer goes when no table refers to it, and when a replay of its pair comes out the same without
it, field for field. A pair that lists an article of several publication days keeps all: a replay
merges the answers of all these days. Commits hold whole pairs; what one has deleted is whole by
itself.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Engine, Row

from weixin_etl.answers import Selection, commits, count_selected
from weixin_etl.datasets import Dataset
from weixin_etl.load.stage import unpacked
from weixin_etl.model import Pair
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError, merge, needed
from weixin_etl.warehouse import CONN_ID, WarehouseError, require_migrated, statement, trouble
from weixin_etl.warehouse.locks import lock_load


class Stay(StrEnum):
    """Why an answer stays: the first of these that is so."""

    NEWEST = "the newest of their day"
    NAMED = "a row of the fact or of its history, or an article, names them"
    REJECTED = "a part of them was rejected"
    UNREADABLE = "no article can be made out in them"
    NEEDED = "a replay or a view needs them"


@dataclass(frozen=True, slots=True)
class Size:
    """How many answers, and the bytes in which they are stored."""

    answers: int = 0
    stored: int = 0

    def __add__(self, other: "Size") -> "Size":
        """Both."""
        return Size(self.answers + other.answers, self.stored + other.stored)

    def __sub__(self, other: "Size") -> "Size":
        """What is left."""
        return Size(self.answers - other.answers, self.stored - other.stored)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What a prune found in a dataset, and what it deleted or would delete."""

    dataset: Dataset
    is_applied: bool
    before: Size = field(default_factory=Size)
    """All that is kept of the dataset, selected or not."""
    after: Size = field(default_factory=Size)
    """The same afterwards: another prune may work beside it."""
    gone: Size = field(default_factory=Size)
    stays: Mapping[Stay, Size] = field(default_factory=dict)
    """Of those selected."""

    @property
    def seen(self) -> Size:
        """What was looked at."""
        return sum(self.stays.values(), self.gone)

    @property
    def left_out(self) -> Size:
        """What was not selected."""
        return self.after - sum(self.stays.values(), Size())


def prune(
    warehouse: Engine,
    selection: Selection,
    *,
    is_applied: bool,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Pruned:
    """
    Delete those of the selected answers that nothing needs; without `is_applied` only find them.

    `on_progress` is called after each commit with the answers looked at so far and all there are.

    Raises:
        ParameterError: an account is not known.
        WarehouseError: the warehouse does not answer or is not migrated, or its user may not
            delete answers.

    """
    require_migrated(warehouse)
    try:
        if is_applied:
            _require_privilege(warehouse)
        return _prune(warehouse, selection, is_applied, on_progress)
    except Exception as error:
        if passing := trouble(error, warehouse):
            raise passing from None
        raise


def may_delete(warehouse: Engine) -> bool:
    """Whether the user of the connection may delete answers: that of daily runs may not."""
    with warehouse.connect() as connection:
        return bool(connection.execute(statement("raw_response/may_delete.sql")).scalar_one())


def _require_privilege(warehouse: Engine) -> None:
    if not may_delete(warehouse):
        raise WarehouseError(
            f"{warehouse.url.username} may not delete answers, as daily runs never do",
            f"let {CONN_ID} name the owner of the warehouse for this command, as for "
            "weixin-etl migrate, or a user of your own who may delete answers",
        )


def _prune(
    warehouse: Engine,
    selection: Selection,
    is_applied: bool,
    on_progress: Callable[[int, int], None],
) -> Pruned:
    dataset = selection.dataset
    before = _kept(warehouse, dataset)
    total = count_selected(warehouse, selection)
    gone = Size()
    stays: defaultdict[Stay, Size] = defaultdict(Size)
    done = 0
    for pairs, _ in commits(warehouse, selection):
        several = [(it.appid, it.publication_date) for it in pairs if it.answer_count > 1]
        alone = [it for it in pairs if it.answer_count == 1]
        stays[Stay.NEWEST] += Size(len(alone), sum(int(it.byte_count) for it in alone))
        for stay, size in _commit(warehouse, dataset, several, is_applied).items():
            if stay is None:
                gone += size
            else:
                stays[stay] += size
        done += sum(it.answer_count for it in pairs)
        on_progress(done, total)
    after = _kept(warehouse, dataset) if is_applied else before - gone
    return Pruned(dataset, is_applied, before, after, gone, dict(stays))


def _kept(warehouse: Engine, dataset: Dataset) -> Size:
    with warehouse.connect() as connection:
        rows = connection.execute(statement("raw_response/sizes.sql"))
        found = {row.dataset: Size(row.answer_count, row.byte_count) for row in rows}
    return found.get(dataset.name, Size())


def _commit(
    warehouse: Engine, dataset: Dataset, pairs: Sequence[Pair], is_applied: bool
) -> Mapping[Stay | None, Size]:
    """
    Prune some pairs; how much stays for which reason, and under None how much goes.

    It waits for loads and replays of these accounts, and they for it: the lock is theirs. Under it
    nothing can begin to refer to an answer.
    """
    sizes: defaultdict[Stay | None, Size] = defaultdict(Size)
    if not pairs:
        return sizes
    appids = sorted({appid for appid, _ in pairs})
    with warehouse.begin() as connection:
        lock_load(connection, appids)
        kept = _kept_answers(connection, dataset, pairs)
        named = _named(connection, dataset, appids, kept.values())
        shared = _shared(connection, appids)
        unneeded: list[int] = []
        for pair, rows in kept.items():
            all_needed = dict.fromkeys((row.raw_response_id for row in rows), Stay.NEEDED)
            reasons = all_needed if pair in shared else {}
            reasons |= named | {rows[-1].raw_response_id: Stay.NEWEST}
            if any(row.raw_response_id not in reasons for row in rows):
                reasons = why_they_stay(_read(dataset, pair, rows)) | reasons
            for row in rows:
                reason = reasons.get(row.raw_response_id)
                sizes[reason] += Size(1, len(row.body_zstd))
                if reason is None:
                    unneeded.append(row.raw_response_id)
        if unneeded and is_applied:
            connection.execute(statement("raw_response/delete.sql"), {"raw_response_ids": unneeded})
    return sizes


def _kept_answers(
    connection: Connection, dataset: Dataset, pairs: Sequence[Pair]
) -> dict[Pair, list[Row[Any]]]:
    """The kept answers of each pair in the order they were last seen."""
    values = {
        "datasets": [dataset.name] * len(pairs),
        "appids": [appid for appid, _ in pairs],
        "publication_dates": [day for _, day in pairs],
    }
    kept: dict[Pair, list[Row[Any]]] = defaultdict(list)
    for row in connection.execute(statement("raw_response/of_pairs.sql"), values):
        kept[row.appid, row.publication_date].append(row)
    return kept


def _named(
    connection: Connection,
    dataset: Dataset,
    appids: Sequence[str],
    kept: Iterable[Sequence[Row[Any]]],
) -> dict[int, Stay]:
    """The answers that a table refers to, and which: rejected parts alone, or others too."""
    values = {
        "appids": appids,
        "raw_response_ids": [row.raw_response_id for rows in kept for row in rows],
    }
    return {
        row.raw_response_id: Stay.REJECTED if row.is_rejected else Stay.NAMED
        for row in connection.execute(statement("raw_response/named.sql", dataset), values)
    }


def _shared(connection: Connection, appids: Sequence[str]) -> set[Pair]:
    """The pairs that list an article of several publication days: a replay merges all these."""
    rows = connection.execute(statement("dim_article/shared_days.sql"), {"appids": appids})
    return {(row.appid, row.publication_date) for row in rows}


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """A kept answer, and what it says."""

    raw_response_id: int
    fetched_at: datetime
    last_seen_at: datetime
    parsed: Parsed | None
    """None when no article can be made out in it."""


def _read(dataset: Dataset, pair: Pair, rows: Sequence[Row[Any]]) -> list[ReadAnswer]:
    read = []
    for row in rows:
        try:
            body = unpacked(bytes(row.body_zstd))
            parsed = parse(dataset, body, pair[1], row.last_seen_at)
        except UnreadableAnswerError:
            parsed = None
        read.append(ReadAnswer(row.raw_response_id, row.fetched_at, row.last_seen_at, parsed))
    return read


def why_they_stay(answers: Sequence[ReadAnswer]) -> dict[int, Stay]:
    """
    Which answers of a pair, in the order they were last seen, stay for what they say, and why.

    By raw_response_id.
    """
    found = dict.fromkeys(_needed(answers), Stay.NEEDED)
    for it in answers:
        if it.parsed is None:
            found[it.raw_response_id] = Stay.UNREADABLE
        elif it.parsed.rejected:
            found[it.raw_response_id] = Stay.REJECTED
    return found


def _needed(answers: Sequence[ReadAnswer]) -> set[int]:
    """
    The answers without which a replay, or the view of articles, would say something else.

    A replay: of a figure, an attribute, the answer that last changed a row, when an article was
    first and last seen, or what coverage has of the newest answer. The view: since when an article
    is listed no more.
    """
    by_id = {it.raw_response_id: it for it in answers}
    parsed = [(it.raw_response_id, it.parsed) for it in answers if it.parsed is not None]
    found = needed(parsed)
    for listed_by in merge(parsed).listed_by.values():
        listing = [by_id[number] for number in listed_by]
        found |= {end(listing, key=_fetched_at).raw_response_id for end in (min, max)}
        without = [it for it in answers if it.fetched_at > listing[-1].last_seen_at]
        if without:
            found.add(min(without, key=_fetched_at).raw_response_id)
    with_data = [number for number, it in parsed if it.articles or not it.rejected]
    return found.union([number for number, _ in parsed][-1:], with_data[-1:])


def _fetched_at(it: ReadAnswer) -> datetime:
    return it.fetched_at
