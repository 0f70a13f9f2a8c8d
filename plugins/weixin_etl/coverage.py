"""What the warehouse has of each pair (account, publication day), and how the last try ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import msgspec
from sqlalchemy import Connection

from weixin_etl import clock, window
from weixin_etl.datasets import Dataset
from weixin_etl.parse.articles import Parsed
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of a pair."""

    publication_date: date
    data_state: str | None
    fetched_at: datetime | None
    """Fetch time of the newest loaded answer."""
    is_final: bool
    article_count: int | None
    row_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How a try ended; what is None of the data half stays as it is."""

    publication_date: date
    attempt_state: str
    data_state: str | None = None
    through_date: date | None = None
    fetched_at: datetime | None = None
    is_final: bool | None = None
    article_count: int | None = None
    row_count: int | None = None
    next_attempt_at: datetime | None = None
    error_code: int | None = None
    error: str | None = None


def read(
    connection: Connection, dataset: Dataset, appid: str, days: Sequence[date]
) -> dict[date, Coverage]:
    """What is known of the account's pairs, by publication day; absent when never asked for."""
    rows = connection.execute(
        statement("coverage/of_pairs.sql"),
        {"dataset": dataset.name, "appid": appid, "publication_dates": list(days)},
    ).mappings()
    return {row["publication_date"]: Coverage(**row) for row in rows}


def save(connection: Connection, dataset: Dataset, appid: str, attempts: Iterable[Attempt]) -> None:
    """Record how the tries ended."""
    connection.execute(
        statement("coverage/save.sql"),
        {
            "dataset": dataset.name,
            "appid": appid,
            "attempts": msgspec.json.encode(list(attempts)).decode(),
            "attempted_at": clock.now(),
        },
    )


def is_ready(connection: Connection, dataset: Dataset, appid: str, yesterday: date) -> bool:
    """
    Whether WeChat has computed the account's figures of yesterday, as far as the fact can tell.

    It has not when articles are still counting and none of them has yesterday's row.
    """
    counting, ready = connection.execute(
        statement("coverage/readiness.sql", dataset),
        {
            "dataset": dataset.name,
            "appid": appid,
            "stat_date": yesterday,
            "first_publication_date": yesterday - timedelta(days=dataset.window - 1),
        },
    ).one()
    return bool(ready or not counting)


def unfinished(
    connection: Connection, dataset: Dataset, appid: str, days: Sequence[date]
) -> set[date]:
    """Those of the days of which an article was loaded, but not its last row."""
    rows = connection.execute(
        statement("fact/unfinished.sql", dataset),
        {"appid": appid, "publication_dates": list(days)},
    )
    return set(rows.scalars())


def is_newest(fetched_at: datetime, known: Coverage | None) -> bool:
    """Whether no answer of the pair that was fetched later is loaded."""
    return known is None or known.fetched_at is None or fetched_at >= known.fetched_at


def is_still_counting(dataset: Dataset, publication_date: date, yesterday: date) -> bool:
    """Whether a publication day must have a row of yesterday."""
    return window.last_stat_date(dataset, publication_date) >= yesterday


def through_date(parsed: Parsed) -> date | None:
    """The last stat_date every article reaches; None when one has no row, or there is none."""
    last_dates = [max(article.rows, default=None) for article in parsed.articles.values()]
    reached = [last_date for last_date in last_dates if last_date is not None]
    return min(reached) if reached and len(reached) == len(last_dates) else None


def is_final(
    dataset: Dataset,
    publication_date: date,
    parsed: Parsed,
    fetched_at: datetime,
    *,
    known: Coverage | None,
    has_changed: bool,
    is_unfinished: bool,
) -> bool:
    """
    Whether nobody need ask again after the pair's newest answer.

    Past the window it is, when every article has its last row, or when answers of two days agree;
    an empty list, when it came late enough to be sure. With a part that was rejected nobody knows
    what every article is, and one that an earlier answer held may be missing (`is_unfinished`):
    then only two days' agreement counts.
    """
    if parsed.is_delayed or not window.is_past_window(dataset, publication_date, fetched_at):
        return False
    is_empty = not parsed.articles and not parsed.rejected
    if is_empty and (known is None or known.data_state != "loaded"):
        return window.is_empty_for_good(dataset, publication_date, fetched_at)
    last = window.last_stat_date(dataset, publication_date)
    is_whole = bool(parsed.articles) and not parsed.rejected and not is_unfinished
    if is_whole and all(last in article.rows for article in parsed.articles.values()):
        return True
    return not has_changed and _agrees(dataset, publication_date, parsed, fetched_at, known)


def _agrees(
    dataset: Dataset,
    publication_date: date,
    parsed: Parsed,
    fetched_at: datetime,
    known: Coverage | None,
) -> bool:
    """Whether the newest answer before, of another day past the window, held as many rows."""
    return (
        known is not None
        and known.fetched_at is not None
        and window.is_past_window(dataset, publication_date, known.fetched_at)
        and clock.beijing_date(known.fetched_at) < clock.beijing_date(fetched_at)
        and (known.article_count, known.row_count) == (len(parsed.articles), parsed.row_count)
    )


def retired(connection: Connection, dataset: Dataset, appids: Sequence[str]) -> dict[str, datetime]:
    """The accounts whose endpoint WeChat took offline, and when it last said so."""
    rows = connection.execute(
        statement("retired/of_accounts.sql"), {"dataset": dataset.name, "appids": list(appids)}
    )
    return {row.appid: row.last_asked_at for row in rows}
