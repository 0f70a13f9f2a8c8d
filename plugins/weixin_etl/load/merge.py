"""
The answers of many pairs into raw answers, articles, rows, their history, and rejected rows.

A pair's newest answer is written over what is there. A pair is rebuilt from its kept answers when
the answer is older than the newest loaded one, or lists an article that another publication day
lists.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from weixin_etl.load.outcome import Outcome
from weixin_etl.load.parts import given_parts, open_parts, settle, settled_parts
from weixin_etl.load.rebuild import Merged, Rebuilt, rebuild, staged_again
from weixin_etl.load.stage import Staged, copy_answers, line
from weixin_etl.load.tables import Loaded, Tables
from weixin_etl.model import Counts, DataState, Pair

Kept = Mapping[Pair, Row[Any]]
"""Where answers are kept, by pair: see `raw_response/keep.sql`."""


def merge(
    tables: Tables, outcomes: Sequence[Outcome], loaded: Loaded, *, refetch: bool
) -> dict[Pair, Counts]:
    """
    Merge the answers, in the transaction of the caller; what changed, by pair.

    Of their pairs, `loaded` is what the warehouse has so far. The rows of an answer that is loaded
    already are compared again only in a `refetch`.
    """
    if not outcomes:
        return {}
    readable = [it for it in outcomes if it.readable]
    kept = _keep(tables, outcomes)
    late = {it.pair for it in readable if _is_late(it, loaded)}
    known = set() if refetch else _known(tables, outcomes, kept, loaded)
    listed = {it.pair: it.msgids for it in readable}
    rebuilt = {it.pair: it for it, _ in rebuild(tables, late - known, listed)}
    changes = tables.merge(
        [
            staged_again(tables, rebuilt[it.pair], it if it.pair in late else None)
            if it.pair in rebuilt
            else _staged(tables, it, kept, loaded, is_known=it.pair in known)
            for it in readable
        ]
    )
    new = [it for it in readable if it.pair not in known]
    _settle_parts(tables, new, kept, rebuilt)
    return changes


def _keep(tables: Tables, outcomes: Sequence[Outcome]) -> Kept:
    """Keep the answers' bytes."""
    rows = tables.execute(
        "raw_response/keep.sql",
        **tables.arrays([it.pair for it in outcomes]),
        hashes=[it.body_sha256 for it in outcomes],
        fetched_ats=[it.ended_at for it in outcomes],
    )
    kept = {(row.appid, row.publication_date): row for row in rows}
    copy_answers(
        tables.connection,
        (
            line(
                kept[it.pair].raw_response_id,
                tables.dataset.name,
                *it.pair,
                it.body_zstd,
                it.body_sha256,
                it.ended_at,
                it.ended_at,
                tables.changed_at,
            )
            for it in outcomes
            if kept[it.pair].seen_before is None
        ),
    )
    return kept


def _is_late(it: Outcome, loaded: Loaded) -> bool:
    """Whether a newer answer of the pair is loaded."""
    return it.pair in loaded and it.ended_at < loaded[it.pair].fetched_at


def _known(tables: Tables, outcomes: Sequence[Outcome], kept: Kept, loaded: Loaded) -> set[Pair]:
    """The pairs of whose answer there is nothing to merge: the fact has as many rows, or more."""
    again = [it for it in outcomes if it.pair in loaded and _is_again(it, kept, loaded)]
    held = tables.row_counts([it.pair for it in again])
    return {it.pair for it in again if held.get(it.pair, 0) >= len(it.rows)}


def _is_again(it: Outcome, kept: Kept, loaded: Loaded) -> bool:
    """
    Whether the answer equals a loaded one byte for byte and leaves the order of answers as it is.

    The newest one, row for row: fetched on a later day, the same bytes may hold a row that was too
    early before. Or an older one, at a time at which it is known to have been seen.
    """
    place, newest = kept[it.pair], loaded[it.pair]
    if _is_late(it, loaded):
        is_seen_then = place.fetched_at <= it.ended_at
        return it.error is None and is_seen_then and place.seen_before == place.last_seen_at
    return bool(place.seen_before == newest.fetched_at and newest.row_count == len(it.rows))


def _staged(tables: Tables, it: Outcome, kept: Kept, loaded: Loaded, *, is_known: bool) -> Staged:
    """The lines of the pair's newest answer; none of a late one that is known."""
    if _is_late(it, loaded):
        return Staged(it.pair, (), b"", b"", len(it.rows), has_facts=True)
    place = kept[it.pair]
    # bytes that were seen before: raw_response tells when they were seen again
    end = tables.article_end(it.pair, place.raw_response_id, place.fetched_at, place.fetched_at)
    row_end = tables.row_end(it.pair, place.raw_response_id, place.fetched_at)
    return Staged(
        it.pair,
        it.msgids,
        end.join([*it.articles, b""]),
        b"" if is_known else row_end.join([*it.rows.values(), b""]),
        len(it.rows),
        has_facts=it.pair in loaded and loaded[it.pair].data_state == DataState.LOADED,
    )


def _settle_parts(
    tables: Tables, outcomes: Sequence[Outcome], kept: Kept, rebuilt: Mapping[Pair, Rebuilt]
) -> None:
    """Note what of the answers does not fit; resolve the open parts that they give."""
    known = open_parts(tables, {it.pair: it.msgids for it in outcomes})
    answers = {it.pair: it for it in outcomes if it.pair not in rebuilt}
    concerned = {it.pair for it in outcomes if it.pair in rebuilt and it.rejected_parts}
    resolved: list[int] = []
    for pair, parts in known.items():
        its = given_parts(tables, answers[pair], kept[pair], parts) if pair in answers else None
        if its is None:
            concerned.add(pair)
        else:
            resolved += its
    new = [
        (it.pair, kept[it.pair].raw_response_id, rejected)
        for it in outcomes
        # those of an answer seen before are kept already
        if it.pair not in concerned and kept[it.pair].seen_before is None
        for rejected in it.rejected_parts
    ]
    pairs = {**rebuilt, **_rebuilt(tables, concerned - rebuilt.keys())}
    for pair in sorted(concerned):
        # of the others' rows, the fact holds what the parser of their time made of them
        merged = {kept[pair].raw_response_id} if pair in kept else set()
        readable = pairs[pair].readable if pair in rebuilt else merged
        gone, more = settled_parts(pair, pairs[pair].parts, known.get(pair, {}), readable)
        resolved += gone
        new += more
    settle(tables, resolved, new)


def _rebuilt(tables: Tables, pairs: Collection[Pair]) -> dict[Pair, Rebuilt]:
    """What the pairs' kept answers reject; their articles are of no use here."""
    again: dict[Pair, Rebuilt] = {}
    for it, _ in rebuild(tables, pairs):
        it.merged = Merged()
        again[it.pair] = it
    return again
