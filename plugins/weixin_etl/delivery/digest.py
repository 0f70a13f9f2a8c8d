"""
The digest: one message each morning with the figures of yesterday, over all accounts.

`read_digest` takes the figures from the analysts' views, `compose_digest` makes the message of
them, and `send_digest` sends it once a day. The task of the DAG `weixin_digest` and the command
`weixin-etl digest` call them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from rich.text import Text
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock
from weixin_etl.health.alert import grouped
from weixin_etl.health.notifications import Installation, Notification, as_many_as_fit, cut
from weixin_etl.health.wording import Wording
from weixin_etl.model import State
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import few_names, unmarked
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import take_lock

_FIGURES = {"readers": "Readers", "reads": "Reads", "sharers": "Sharers"}
"""The columns of `digest/accounts.sql` that are added up, with their names in the message."""
_LACKING = (State.LATE, State.BEHIND)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MOST_BYTES = 1800
"""The length of title and body: WeCom refuses texts of more than 2,048 bytes."""
_MOST_COLUMNS = 40
"""The width of a title in columns of a terminal. A Chinese character takes two."""
_MOST_TITLE_BYTES = 120
"""The length of a title in bytes: characters without a width could make it endless."""
_MOST_NAME_COLUMNS = 20


@dataclass(frozen=True, slots=True)
class Digest:
    """The figures of one day, and what lacks."""

    day: date
    accounts: Sequence[Row[Any]]
    """The rows of `digest/accounts.sql`: one per account."""
    before: Mapping[str, Row[Any]]
    """The same of the same weekday before, by AppID."""
    followers: Sequence[Row[Any]]
    """The rows of `digest/followers.sql`: one per account whose followers are known to WeChat."""
    articles: Sequence[Row[Any]]
    """The rows of `digest/articles.sql`: the most read articles, the most read first."""
    lacking: Mapping[str, Sequence[Row[Any]]]
    """The rows of `digest/states.sql` of what is not in, by the account's name."""


def read_digest(connection: Connection, day: date) -> Digest:
    """
    Return the digest of a day, as the analysts' views have its figures now.

    Args:
        connection: a session of the warehouse, which may be read-only.
        day: the day in Beijing whose figures are told.
    """

    def rows(path: str) -> Sequence[Row[Any]]:
        return connection.execute(statement(path), {"day": day}).all()

    figures = rows("digest/accounts.sql")
    return Digest(
        day,
        accounts=[row for row in figures if row.calendar_date == day],
        before={row.appid: row for row in figures if row.calendar_date != day},
        followers=rows("digest/followers.sql"),
        articles=rows("digest/articles.sql"),
        lacking=lacking_rows(rows("digest/states.sql")),
    )


def lacking_rows(states: Iterable[Row[Any]]) -> dict[str, list[Row[Any]]]:
    """
    Return the rows that say why something of an account is not in, by the account's name.

    An account's articles are in if one of their endpoints still answers and lacks no day. If none
    does, the rows of all of them are returned that are late, behind or ended. An account that was
    never asked about has a row without a dataset. Of followers, the late and behind rows are
    returned.

    Args:
        states: the rows of `digest/states.sql`.
    """
    by_account = grouped(states, lambda row: row.account_name)
    lacking = {rows[0].account_name: _lacking_of_account(rows) for rows in by_account}
    return {name: rows for name, rows in lacking.items() if rows}


def _lacking_of_account(states: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the rows of one account that `lacking_rows` returns."""
    of_articles = [row for row in states if row.is_of_articles is not False]
    endpoints = grouped(of_articles, lambda row: row.dataset)
    if any(_is_in(rows) for rows in endpoints):
        of_articles = []
    not_in = (*_LACKING, State.ENDED, None)
    return [row for row in of_articles if row.state in not_in] + [
        row for row in states if row.is_of_articles is False and row.state in _LACKING
    ]


def _is_in(states: Sequence[Row[Any]]) -> bool:
    """Return whether an endpoint, given its rows for an account, still answers and lacks no day."""
    found = {row.state for row in states}
    return not found & {*_LACKING, None} and found != {State.ENDED}


def send_digest(
    warehouse: Engine,
    deliver: Callable[[Notification], None],
    *,
    now: datetime,
    installation: Installation,
) -> str | None:
    """
    Send yesterday's digest if it was not sent before, and record that it was.

    Before noon it is sent only if nothing lacks. One process at a time sends. A process that is
    killed between the delivery and the commit that records it causes a second delivery.

    Args:
        warehouse: the warehouse with the figures and the record.
        deliver: delivers the message; nothing is recorded if it raises.
        now: the time, which decides what yesterday is.
        installation: the address of the page, and the language.

    Returns:
        Why no message was sent; None if one was.
    """
    day = clock.beijing_date(now) - timedelta(days=1)
    with warehouse.begin() as connection:
        take_lock(connection, "digest")
        if sent_at := connection.scalar(statement("digest/sent.sql"), {"day": day}):
            return f"the digest of {day} was sent at {clock.time_text(sent_at)} Beijing time"
        digest = read_digest(connection, day)
        if not digest.accounts:
            return "no account is collected, so there is nothing to tell"
        if digest.lacking and clock.beijing(now)[1] < time(12):
            names = few_names([*digest.lacking])
            return f"the figures of {day} are not all in, they are sent at noon: {names}"
        deliver(compose_digest(digest, installation))
        connection.execute(statement("digest/save.sql"), {"day": day, "sent_at": now})
    return None


# ------------------------------------------------------------------------------------ the message


def compose_digest(digest: Digest, installation: Installation) -> Notification:
    """
    Return the message of a digest: a line for each figure, the most read articles, what lacks.

    What lacks is cut to what a receiver takes. The last line is the address of the page, if it is
    known. Its type is `warning` if something lacks, else `info`.
    """
    words, lacking = installation.words, [*digest.lacking.items()]
    title = words.phrase("WeChat, {day}", day=_day(digest.day, words))
    lines = [
        _count_line(digest, words),
        *(_figure_line(digest, figure, words) for figure in _FIGURES),
        *_follower_lines(digest.followers, words),
        *_article_lines(digest.articles, words),
    ]
    page = [installation.page_url] if "://" in installation.page_url else []
    if lacking:
        lines.append(words.phrase("Not in:"))
        room = _MOST_BYTES - len("\n".join([title, *lines, *page]).encode()) - 2
        not_in = [_lacking_line(name, rows, words) for name, rows in lacking]
        lines += as_many_as_fit(not_in, room, installation)
    return Notification(title, "\n".join([*lines, *page]), "warning" if lacking else "info")


def _day(day: date, words: Wording) -> str:
    """Return a day with its weekday: `2026-11-23 (Mon)`."""
    return words.phrase(
        "{day} ({weekday})", day=day, weekday=words.phrase(_WEEKDAYS[day.weekday()])
    )


def _count_line(digest: Digest, words: Wording) -> str:
    """Return the line with the number of accounts."""
    count = len(digest.accounts)
    return words.phrase("1 account" if count == 1 else "{count} accounts", count=f"{count:,}")


def _figure_line(digest: Digest, figure: str, words: Wording) -> str:
    """
    Return the line of a figure: its sum over all accounts, what that lacks, and the change.

    A sum of which no account has a part is unknown. If the day of an account is not complete, the
    line says how many are.
    """
    values = [(getattr(row, figure), row.is_complete) for row in digest.accounts]
    known = [(value, is_complete) for value, is_complete in values if value is not None]
    name = words.phrase(_FIGURES[figure])
    if not known:
        return words.phrase("{name}: unknown", name=name)
    parts = [words.phrase("{name}: {sum}", name=name, sum=f"{sum(value for value, _ in known):,}")]
    complete = sum(is_complete for _, is_complete in known)
    if complete < len(values):
        counts = {"complete": complete, "total": len(values)}
        parts.append(words.phrase(", complete for {complete} of {total} accounts", **counts))
    return "".join([*parts, *_change(digest, figure, words)])


def _change(digest: Digest, figure: str, words: Wording) -> list[str]:
    """
    Return the change of a figure against the same weekday before, or nothing if it is unknown.

    Only accounts count that are complete on both days and were counted the same way; if these are
    not all, the text has their number.
    """
    name = f"{figure}_comparable"
    pairs = [(row, digest.before[row.appid]) for row in digest.accounts]
    comparable = [
        (getattr(row, name), getattr(before, name))
        for row, before in pairs
        if row.is_complete and before.is_complete and row.is_by_successor == before.is_by_successor
    ]
    known = [(value, before) for value, before in comparable if None not in (value, before)]
    total, total_before = (sum(values) for values in zip(*known, strict=True)) if known else (0, 0)
    if total_before <= 0:
        return []
    places = {
        "change": f"{round(100 * (total - total_before) / total_before):+,}",
        "day": digest.day - timedelta(days=7),
    }
    if len(known) == len(pairs):
        return [words.phrase(", {change} % against {day}", **places)]
    frame = ", {change} % against {day} over {count} of them"
    return [words.phrase(frame, **places, count=len(known))]


def _follower_lines(followers: Sequence[Row[Any]], words: Wording) -> list[str]:
    """
    Return the line of followers won, lost and net over all accounts, or no line without accounts.

    If some accounts' are unknown, the line says how many are known.
    """
    if not followers:
        return []
    known = [row for row in followers if row.won is not None]
    if not known:
        return [words.phrase("{name}: unknown", name=words.phrase("Followers"))]
    won, lost = sum(row.won for row in known), sum(row.lost for row in known)
    places = {"won": f"{won:,}", "lost": f"{lost:,}", "net": f"{won - lost:+,}"}
    parts = [words.phrase("Followers: {won} won, {lost} lost, net {net}", **places)]
    if len(known) < len(followers):
        counts = {"complete": len(known), "total": len(followers)}
        parts.append(words.phrase(", complete for {complete} of {total} accounts", **counts))
    return ["".join(parts)]


def _article_lines(articles: Sequence[Row[Any]], words: Wording) -> list[str]:
    """Return a heading and a line for each article, or no line without articles."""
    lines = [_article_line(rank, row, words) for rank, row in enumerate(articles, start=1)]
    return [words.phrase("Most read:"), *lines] if lines else []


def _article_line(rank: int, article: Row[Any], words: Wording) -> str:
    """
    Return the line of an article: its title, account, and the readers that it gained on the day.

    If the usual number is known, the line also says how many times this the article has.
    """
    line = words.phrase(
        "{rank}. {title} · {account}: {readers} readers",
        rank=rank,
        title=_short(article.title or words.phrase("(without a title)"), _MOST_COLUMNS),
        account=_short(article.account_name, _MOST_NAME_COLUMNS),
        readers=f"{article.readers_increment:,}",
    )
    if not article.usual_readers or article.readers is None:
        return line
    ratio = float(article.readers) / float(article.usual_readers)
    usual = words.phrase(
        ", {ratio} × usual after day {number}", ratio=f"{ratio:,.1f}", number=article.day_number
    )
    return line + usual


def _lacking_line(name: str, states: Sequence[Row[Any]], words: Wording) -> str:
    """Return the line of an account of which something lacks: why, and the state of which days."""
    parts = [
        " ".join(filter(None, [row.dataset, words.phrase(row.state), words.days(tuple(row.days))]))
        for row in states
        if row.dataset
    ]
    kinds = [row.error_kind for row in states if row.error_kind]
    account = _short(name, _MOST_NAME_COLUMNS)
    if kinds:
        account = words.title(Problem.of_kind(ProblemKind(kinds[0]), account=account))
    missing = "; ".join(parts) or words.phrase("no run has asked yet")
    return words.phrase("{account}: {missing}", account=account, missing=missing)


def _short(text: str, most_columns: int) -> str:
    """Return a stranger's text on one line, without markup, and cut to a width with `…`."""
    line = Text(unmarked(text))
    line.truncate(most_columns, overflow="ellipsis")
    return cut(line.plain, _MOST_TITLE_BYTES)
