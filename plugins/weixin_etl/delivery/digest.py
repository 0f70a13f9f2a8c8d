"""
The digest: one message each morning with the figures of yesterday, over all accounts.

`read_digest` takes the figures from the analysts' views, `compose_digest` makes the message of
them, and `send_digest` sends it once a day. The task of the DAG `weixin_digest` and the command
`weixin-etl digest` call them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from rich.text import Text
from sqlalchemy import Connection, Engine, Row

from weixin_etl import clock
from weixin_etl.delivery.lacking import Lack, find_lacks
from weixin_etl.health.alert import grouped
from weixin_etl.health.notifications import Installation, Notification, as_many_as_fit, cut
from weixin_etl.health.wording import Wording
from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.text import few_names, unmarked
from weixin_etl.warehouse import statement
from weixin_etl.warehouse.locks import take_lock

_FIGURES = {"readers": "Readers", "reads": "Reads", "sharers": "Sharers"}
"""The columns of `digest/accounts.sql` that are added up, with their names in the message."""
NO_ACCOUNT = "no account is collected, so there is nothing to tell"
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
    lacks: Sequence[Lack]
    """Why figures are not complete, in the order of the accounts."""

    @property
    def is_awaited(self) -> bool:
        """Whether figures that lack may come in this morning."""
        return any(lack.is_awaited for lack in self.lacks)


def read_digest(connection: Connection, day: date) -> Digest:
    """
    Return the digest of a day, as the analysts' views have its figures now.

    Args:
        connection: a session of the warehouse, which may be read-only.
        day: the day in Beijing whose figures are told.
    """

    def rows(path: str) -> Sequence[Row[Any]]:
        return connection.execute(statement(path), {"day": day}).all()

    figures, followers = rows("digest/accounts.sql"), rows("digest/followers.sql")
    accounts = [row for row in figures if row.calendar_date == day]
    return Digest(
        day,
        accounts=accounts,
        before={row.appid: row for row in figures if row.calendar_date != day},
        followers=followers,
        articles=rows("digest/articles.sql"),
        lacks=find_lacks(accounts, followers, rows("digest/states.sql")),
    )


def send_digest(
    warehouse: Engine,
    deliver: Callable[[Notification], None],
    *,
    now: datetime,
    installation: Installation,
) -> str | None:
    """
    Send yesterday's digest if it was not sent before, and record that it was.

    Before noon it is sent only if nothing lacks that may come in. One process at a time sends. A
    process that is killed between the delivery and the commit that records it causes a second
    delivery.

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
            return NO_ACCOUNT
        if digest.is_awaited and clock.beijing(now)[1] < time(12):
            names = few_names([*{lack.account: None for lack in digest.lacks if lack.is_awaited}])
            return f"the figures of {day} are not all in, they are sent at noon: {names}"
        deliver(compose_digest(digest, installation))
        connection.execute(statement("digest/save.sql"), {"day": day, "sent_at": now})
    return None


# ------------------------------------------------------------------------------------ the message


def compose_digest(digest: Digest, installation: Installation) -> Notification:
    """
    Return the message of a digest: a line for each figure, the most read articles, what lacks.

    What lacks is cut to what a receiver takes. The last line is the address of the page, if it is
    known. Its type is `warning` if something lacks that should be in, else `info`.
    """
    words = installation.words
    title = words.phrase("WeChat, {day}", day=_day(digest.day, words))
    lines = [
        _count_line(digest, words),
        *(_figure_line(digest, figure, words) for figure in _FIGURES),
        *_follower_lines(digest.followers, words),
        *_article_lines(digest.articles, words),
    ]
    page = [installation.page_url] if "://" in installation.page_url else []
    if digest.lacks:
        lines.append(words.phrase("Not complete:"))
        room = _MOST_BYTES - len("\n".join([title, *lines, *page]).encode()) - 2
        by_cause = grouped(digest.lacks, lambda lack: (lack.account, lack.error_kind))
        lacking = [_lacking_line(lacks, words) for lacks in by_cause]
        lines += as_many_as_fit(lacking, room, installation)
    type_ = "warning" if digest.is_awaited else "info"
    return Notification(title, "\n".join([*lines, *page]), type_)


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

    A sum of which no account has a part is unknown, and so is a sum of 0 if some account's part is
    unknown. If the day of an account is not complete, the line says how many are.
    """
    values = [(getattr(row, figure), row.is_complete) for row in digest.accounts]
    known = [(value, is_complete) for value, is_complete in values if value is not None]
    name = words.phrase(_FIGURES[figure])
    total = sum(value for value, _ in known)
    if not known or (total == 0 and len(known) < len(values)):
        return words.phrase("{name}: unknown", name=name)
    parts = [words.phrase("{name}: {sum}", name=name, sum=f"{total:,}")]
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

    If no total is known of the day before, it says of how many days the readers are. If the usual
    number is known, it also says how many times this the article has.
    """
    days = article.days_spanned or 1
    frame = "{rank}. {title} · {account}: {readers} readers"
    line = words.phrase(
        frame if days == 1 else f"{frame} in {{days}} days",
        rank=rank,
        title=_short(article.title, _MOST_COLUMNS) or words.phrase("(without a title)"),
        account=_short(article.account_name, _MOST_NAME_COLUMNS),
        readers=f"{article.readers_increment:,}",
        days=days,
    )
    if not article.usual_readers or article.readers is None:
        return line
    ratio = float(article.readers) / float(article.usual_readers)
    usual = words.phrase(
        ", {ratio} × usual after day {number}", ratio=f"{ratio:,.1f}", number=article.day_number
    )
    return line + usual


def _lacking_line(lacks: Sequence[Lack], words: Wording) -> str:
    """Return the line of what an account lacks by one cause: the cause, the states, the days."""
    (first, *_) = lacks
    account = _short(first.account, _MOST_NAME_COLUMNS)
    if first.error_kind:
        account = words.title(Problem.of_kind(ProblemKind(first.error_kind), account=account))
    parts = [
        " ".join(filter(None, [lack.dataset, words.phrase(lack.reason), words.days(lack.days)]))
        for lack in lacks
    ]
    return words.phrase("{account}: {missing}", account=account, missing="; ".join(parts))


def _short(text: str | None, most_columns: int) -> str:
    """
    Return a stranger's text on one line, without markup, and cut to a width with `…`.

    A text that would not be seen is empty.
    """
    line = Text(unmarked(text or ""))
    line.truncate(most_columns, overflow="ellipsis")
    return cut(line.plain, _MOST_TITLE_BYTES) if line.cell_len else ""
