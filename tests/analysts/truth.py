"""
The truth of each question of docs/analysts.md, from what WeChat answered.

Rows have the names of the page's columns. Shares are exact: they are rounded as the page's query
rounds. Where nothing else is said, the account is the page's, 春风, the endpoint `getarticletotal`,
and now is after the run of 24 November.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from analysts.knowledge import OLD, SUCCESSOR, WINDOW, Article, Known, days, known
from analysts.world import (
    BUSY,
    HISTORY,
    MORNINGS,
    NOW,
    PAPER,
    SUCCESSOR_MORNINGS,
    World,
    at,
    november,
)

Rows = list[dict[str, Any]]
READERS, READS, SHARERS = "int_page_read_user", "int_page_read_count", "share_user"
KANYIKAN = "int_page_from_kanyikan_read_user"
IN_CHAT, SENT_TO = "int_page_from_session_read_user", "target_user"
TWO = (BUSY.appid, PAPER.appid)
FIRST_DAY, YESTERDAY = HISTORY[0], NOW.date() - timedelta(1)
DATASETS = {"article_total": OLD, "article_total_detail": SUCCESSOR}
EXPORTED_AT = at(november(23), 11, 0)
"""When an export began, less an hour."""
REPORTED_AT = at(november(23), 12, 0)
REMEMBERED_AT = at(november(22), 12, 0)
NOVEMBER = november(1)
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def share(part: Fraction | float | None, whole: float | None) -> Fraction | None:
    """One figure over another; None when that is not known."""
    return None if part is None or not whole else Fraction(part) / Fraction(whole)


def total(values: Iterable[Any]) -> Any:
    """The sum of the values that are known; None when none is."""
    known_values = [value for value in values if value is not None]
    return sum(known_values) if known_values else None


def quantile(values: Iterable[float], part: Fraction = Fraction(1, 2)) -> Fraction | None:
    """Between the two values next to it, as far as it is between them."""
    ordered = sorted(Fraction(value) for value in values)
    if not ordered:
        return None
    place = part * (len(ordered) - 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place - int(place))


def in_groups(items: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, list[Any]]:
    """The items by a key, in its order."""
    groups: dict[Any, list[Any]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return {group: groups[group] for group in sorted(groups)}


def most_read(articles: Iterable[Article]) -> list[Article]:
    """Those whose readers are known, the most read first."""
    read = [article for article in articles if article.latest(READERS) is not None]
    return sorted(read, key=lambda article: -article.latest(READERS))


def first_articles(it: Known) -> list[Article]:
    """Those in the first place of their message."""
    return [article for article in it.articles.values() if article.position == 1]


def with_day(articles: Iterable[Article], *numbers: int, metric: str = READERS) -> list[Article]:
    """Those whose figures of these days are known."""
    return [
        article
        for article in articles
        if all(article.by_day(number, metric) is not None for number in numbers)
    ]


def final(articles: Iterable[Article]) -> list[Article]:
    """Those whose totals have stopped growing."""
    return [article for article in articles if article.is_final]


def usual(it: Known, position: int, day_number: int) -> list[int]:
    """
    The readers by that day of the articles in that place, published in the newest 90 days.

    Of those that have the most days.
    """
    newest = max(article.publication_date for article in it.articles.values() if article.rows)
    readers = [
        {
            number: article.by_day(number, READERS)
            for number in range(1, it.window + 1)
            if article.by_day(number, READERS) is not None
        }
        for article in it.published(newest - timedelta(89), newest)
        if article.position == position
    ]
    most = max(map(len, readers))
    return [
        by_day[day_number] or 0
        for by_day in readers
        if len(by_day) == most and day_number in by_day
    ]


def published_on(world: World, appid: str, day: date) -> int:
    """How many articles either endpoint told of."""
    return len(
        {it.msgid for name in DATASETS.values() for it in known(world, appid, name).of_day(day)}
    )


# --------------------------------------------------------------------------------- of every day


def newest_articles(world: World, appid: str = BUSY.appid) -> Rows:
    """1. The newest articles that have a row, the most read of each day first."""
    newest_first = sorted(
        [it for it in known(world, appid).published(november(22)) if it.rows],
        key=lambda it: (-it.publication_date.toordinal(), -it.latest(READERS), it.msgid),
    )
    return [
        {
            "publication_date": article.publication_date,
            "position": article.position,
            "title": article.title,
            "readers": article.latest(READERS),
            "sharers": article.latest(SHARERS),
            "day_number": article.day_number(max(article.rows)),
            "is_final": article.is_final,
        }
        for article in newest_first[:5]
    ]


def most_read_of_the_month(world: World, appid: str = BUSY.appid) -> Rows:
    """2. The five articles of November that were read most."""
    articles = known(world, appid).published(november(1), november(30))
    return [
        {
            "title": article.title,
            "publication_date": article.publication_date,
            "readers": article.latest(READERS),
            "reads": article.latest(READS),
        }
        for article in most_read(articles)[:5]
    ]


def gained_each_day(world: World, appid: str = BUSY.appid) -> Rows:
    """
    3. What came on each day over all articles.

    The share rate is of the readers and sharers who came on the day.
    """
    it = known(world, appid)
    return [
        {
            "calendar_date": day,
            "published": published_on(world, appid, day),
            "expected": len(it.reported(day)) + len(it.lacking(day)),
            "reported": len(it.reported(day)),
            "reads": it.gained(day, READS),
            "shares": it.gained(day, "share_count"),
            "share_rate": share(it.gained(day, SHARERS), it.gained(day, READERS)),
            "is_complete": it.is_complete(day),
        }
        for day in days(november(17), november(23))
    ]


def gained_by_one_article(world: World, appid: str = BUSY.appid) -> Rows:
    """4. What each day added to the most read of the articles published before 16 November."""
    articles = most_read(known(world, appid).published(date.min, november(15)))
    counted = {
        name
        for article in articles[:1]
        for row in article.rows.values()
        for name in row.values
        if name != SENT_TO and "_from_" not in name
    }
    return [
        {
            "stat_date": day,
            "day_number": article.day_number(day),
            "days_spanned": article.days_spanned(day),
            "new_readers": article.increments(READERS)[day],
            "new_reads": article.increments(READS)[day],
            "new_sharers": article.increments(SHARERS)[day],
            "has_fall": any((article.increments(name)[day] or 0) < 0 for name in counted),
        }
        for article in articles[:1]
        for day in article.stat_dates
    ]


def reached_by_day(world: World, appid: str = BUSY.appid) -> Rows:
    """5. The share of their final readers that final articles had by a day, sums over sums."""
    articles = final(known(world, appid).articles.values())

    def by(number: int) -> Fraction | None:
        reached = with_day(articles, number)
        return share(
            total(it.by_day(number, READERS) for it in reached),
            total(it.latest(READERS) for it in reached),
        )

    return [
        {"articles": len(articles), "by_day_1": by(1), "by_day_3": by(3), "by_day_7": by(7)},
    ]


def sources(world: World, appid: str = BUSY.appid) -> Rows:
    """6. Where readers came from by the seventh day, and each place's share of their sum."""
    articles = known(world, appid).articles.values()
    readers = {
        name: total(it.by_day(7, f"int_page_from_{part}_read_user") for it in articles)
        for name, part in {
            "The account's own chat": "session",
            "The list of past messages": "hist_msg",
            "Moments": "feed",
            "A friend's chat": "friends",
            "Elsewhere": "other",
            "Top Stories (kanyikan)": "kanyikan",
            "Search (souyisou)": "souyisou",
        }.items()
    }
    return [
        {"scene_name": name, "readers": count, "share": share(count, total(readers.values()))}
        for name, count in sorted(readers.items(), key=lambda item: (-(item[1] or 0), item[0]))
        if count is not None
    ]


def open_rate_by_weekday(world: World, appid: str = BUSY.appid) -> Rows:
    """7. Of the people a message was sent to, those who opened its first article in the chat."""
    articles = final(first_articles(known(world, appid)))
    return [
        {
            "weekday": weekday,
            "messages": len(group),
            "open_rate": share(
                total(it.newest.values[IN_CHAT] for it in group),
                total(it.newest.values[SENT_TO] for it in group),
            ),
        }
        for weekday, group in in_groups(
            articles, lambda it: it.publication_date.isoweekday()
        ).items()
    ]


def better_than_usual(world: World, appid: str = BUSY.appid) -> Rows:
    """8. Articles of 20 November against those in the same place, by the third day."""
    it = known(world, appid)
    articles = with_day(it.of_day(november(20)), 3)
    return [
        {
            "title": article.title,
            "position": article.position,
            "readers_by_day_3": article.by_day(3, READERS),
            "median": quantile(usual(it, article.position, 3)),
            "upper_quartile": quantile(usual(it, article.position, 3), Fraction(3, 4)),
        }
        for article in sorted(articles, key=lambda it: (it.position, it.msgid))
    ]


def asked_daily_from(dataset: str) -> date:
    """The first publication day of the first daily run."""
    mornings = MORNINGS if dataset == "article_total" else SUCCESSOR_MORNINGS
    return mornings[0] - timedelta(WINDOW[DATASETS[dataset]])


def _days_of(world: World, appid: str, dataset: str, first_day: date = date.min) -> Rows:
    """Each publication day up to yesterday: what there is of it, and how the last call ended."""
    it, since = known(world, appid, DATASETS[dataset]), asked_daily_from(dataset)
    return [
        {
            "day": day,
            "state": it.state(day, since),
            "last_attempt": day in it.publication_days and it.publication_days[day].last_attempt,
            "lacking": it.articles_lacking(day),
        }
        for day in sorted({*it.publication_days, *days(since, YESTERDAY)})
        if day >= first_day
    ]


def what_we_have(world: World, appid: str = BUSY.appid) -> Rows:
    """9. The publication days of 春风 by what there is of them, and by their last call."""
    rows = [
        {
            "dataset": dataset,
            "state": state,
            "last_attempt": last_attempt,
            "days": len(group),
            "first_day": group[0]["day"],
            "last_day": group[-1]["day"],
        }
        for dataset in DATASETS
        for (state, last_attempt), group in in_groups(
            _days_of(world, appid, dataset), lambda it: (it["state"], it["last_attempt"])
        ).items()
    ]
    order = ("dataset", "first_day", "state", "last_attempt")
    return sorted(rows, key=lambda row: [row[name] for name in order])


def corrections(world: World, appid: str = BUSY.appid) -> Rows:
    """10. Readers that WeChat told otherwise later, as often as it did, the first five by title."""
    rows = [
        {
            "title": change.article.title,
            "stat_date": change.stat_date,
            "metric": change.metric,
            "old_value": change.old,
            "new_value": change.new,
            "difference": change.new - change.old,
        }
        for change in known(world, appid).changes
        if change.metric == READERS and change.old is not None
    ]
    return sorted(rows, key=lambda row: (row["title"], row["stat_date"]))[:5]


def kinds_of_change(world: World, appid: str = BUSY.appid) -> Rows:
    """10. Figures that were corrected, and those that were there late."""
    changes = [it for it in known(world, appid).changes if it.metric in (READERS, KANYIKAN)]
    groups = in_groups(changes, lambda it: ("late" if it.old is None else "correction", it.metric))
    return [
        {
            "kind": kind,
            "metric": metric,
            "figures": len(group),
            "first_day": min(it.article.publication_date for it in group),
            "last_day": max(it.article.publication_date for it in group),
        }
        for (kind, metric), group in groups.items()
    ]


# --------------------------------------------------------------------------------- fifteen more


def weekly_report(world: World, appids: Sequence[str] = TWO) -> Rows:
    """11. What came in each week over all articles; the share rate is of what came."""
    return [
        {
            "account_name": world.names[appid],
            "iso_week": f"2026-W{week}",
            "published": sum(published_on(world, appid, day) for day in its_days),
            "reads": total(it.gained(day, READS) for day in its_days),
            "sharers": total(it.gained(day, SHARERS) for day in its_days),
            "share_rate": share(
                total(it.gained(day, SHARERS) for day in its_days),
                total(it.gained(day, READERS) for day in its_days),
            ),
            "complete_days": sum(it.is_complete(day) for day in its_days),
        }
        for appid in sorted(appids, key=lambda it: (world.names[it], it))
        for it in [known(world, appid)]
        for week in (45, 46, 47)
        for its_days in [[date.fromisocalendar(2026, week, day) for day in range(1, 8)]]
    ]


def best_weekday(world: World, appid: str = BUSY.appid) -> Rows:
    """12. The median readers by the third day of first articles, by weekday of publication."""
    articles = with_day(first_articles(known(world, appid)), 3)
    return [
        {
            "weekday_name": WEEKDAYS[weekday],
            "messages": len(group),
            "median_readers": quantile(it.by_day(3, READERS) for it in group),
        }
        for weekday, group in in_groups(articles, lambda it: it.publication_date.weekday()).items()
    ]


def took_off_late(world: World, appid: str = BUSY.appid) -> Rows:
    """
    13. Final articles with less than half of their readers by the third day.

    Apart, those of which that is not known.
    """
    articles = final(known(world, appid).articles.values())
    rows = [
        {
            "title": article.title,
            "publication_date": article.publication_date,
            "day_3": by_day_3,
            "latest": latest,
            "share": share(by_day_3, latest),
            "verdict": "unknown" if by_day_3 is None else "late",
        }
        for article in articles
        for by_day_3, latest in [(article.by_day(3, READERS), article.latest(READERS))]
        if by_day_3 is None or by_day_3 * 2 < latest
    ]
    return sorted(rows, key=lambda row: (row["verdict"], row["publication_date"], row["title"]))


def long_tail(world: World, appid: str = BUSY.appid) -> Rows:
    """14. Of the successor's articles with all thirty rows, the readers who came late."""
    articles = [
        article
        for article in known(world, appid, SUCCESSOR).articles.values()
        if article.has_all_rows
    ]

    def after(number: int) -> Fraction | None:
        before = share(
            *(total(it.by_day(day, "read_user") for it in articles) for day in (number, 30))
        )
        return None if before is None else 1 - before

    return [{"articles": len(articles), "after_day_3": after(3), "after_day_7": after(7)}]


def accounts_compared(world: World, appids: Sequence[str] = TWO) -> Rows:
    """15. First articles whose totals are final, by the third day, of two accounts."""
    return [
        {
            "account_name": world.names[appid],
            "messages": len(articles),
            "median_readers": quantile(it.by_day(3, READERS) for it in articles),
            "open_rate": share(
                total(it.by_day(3, IN_CHAT) for it in articles),
                total(it.by_day(3, SENT_TO) for it in articles),
            ),
        }
        for appid in sorted(appids, key=lambda it: (world.names[it], it))
        for articles in [with_day(final(first_articles(known(world, appid))), 3)]
        if articles
    ]


def word_in_the_title(world: World, appid: str = BUSY.appid) -> Rows:
    """
    16. Readers by the third day over what is usual in that place, with 医保 and without.

    Of the articles of 90 days.
    """
    it = known(world, appid)
    articles = with_day(it.published(YESTERDAY - timedelta(89)), 3)
    return [
        {
            "has_word": has_word,
            "articles": len(group),
            "against_usual": quantile(
                Fraction(article.by_day(3, READERS)) / quantile(usual(it, article.position, 3))
                for article in group
            ),
        }
        for has_word, group in in_groups(articles, lambda it: "医保" in it.title).items()
    ]


def cohort(world: World, appid: str = BUSY.appid) -> Rows:
    """17. The readers by each day of the articles of 1 to 15 November that have all seven."""
    articles = with_day(known(world, appid).published(november(1), november(15)), *range(1, 8))
    return [
        {
            "day_number": number,
            "articles": len(articles),
            "readers": sum(it.by_day(number, READERS) or 0 for it in articles),
        }
        for number in range(1, 8)
    ]


def months(world: World, appid: str = BUSY.appid) -> Rows:
    """18. What came on the days of October and November on which all is known."""
    it = known(world, appid)
    return [
        {
            "month": f"2026-{month}",
            "days": len(its_days),
            "complete_days": len(complete),
            "reads": total(it.gained(day, READS) for day in complete),
            "reads_per_day": share(total(it.gained(day, READS) for day in complete), len(complete)),
        }
        for month, its_days in in_groups(days(FIRST_DAY, YESTERDAY), lambda day: day.month).items()
        for complete in [[day for day in its_days if it.is_complete(day)]]
    ]


def changed_since(world: World, appid: str = BUSY.appid) -> Rows:
    """19. The rows that are there, or have another figure, since noon of 23 November."""
    changed = [
        (day, "new" if row.first_known_at > EXPORTED_AT else "changed")
        for article in known(world, appid).articles.values()
        for day, row in article.rows.items()
        if row.changed_at > EXPORTED_AT
    ]
    return [
        {
            "is": kind,
            "rows": len(group),
            "first_day": min(day for day, _ in group),
            "last_day": max(day for day, _ in group),
        }
        for kind, group in in_groups(changed, lambda it: it[1]).items()
    ]


def known_then(world: World, appid: str = BUSY.appid) -> Rows:
    """20. The newest rows of the articles since 18 November, at noon of the 22nd and now."""
    return [
        {
            "known": label,
            "articles": len(newest),
            "readers": total(row.values[READERS] for row in newest),
            "kanyikan_figures": sum(KANYIKAN in row.values for row in newest),
        }
        for label, moment in [("then", REMEMBERED_AT), ("now", NOW)]
        for it in [known(world, appid, at=moment)]
        for newest in [[article.newest for article in it.published(november(18))]]
    ]


def what_is_missing(world: World) -> Rows:
    """21. The days that are not in, were not answered last or have articles that lack a row."""
    rows = [
        {
            "account_name": name,
            "dataset": dataset,
            "state": state,
            "last_attempt": last_attempt,
            "days": len(group),
            "first_day": group[0]["day"],
            "last_day": group[-1]["day"],
            "articles_lacking": sum(it["lacking"] for it in group),
            "appid": appid,
        }
        for appid, name in world.names.items()
        for dataset in DATASETS
        for (state, last_attempt), group in in_groups(
            [
                it
                for it in _days_of(world, appid, dataset, NOVEMBER)
                if it["state"] in ("late", "lost", "given_up")
                or it["last_attempt"] != "ok"
                or it["lacking"]
            ],
            lambda it: (it["state"], it["last_attempt"]),
        ).items()
    ]
    order = ("account_name", "appid", "dataset", "first_day", "state")
    rows.sort(key=lambda row: [row[name] for name in order])
    return [{name: value for name, value in row.items() if name != "appid"} for row in rows]


def successor_to_old(world: World, appid: str = BUSY.appid) -> Rows:
    """22. The readers that both endpoints told of the same articles, by the same day."""
    old, new = (known(world, appid, endpoint).articles for endpoint in (OLD, SUCCESSOR))
    both = {
        number: [
            (old[msgid].by_day(number, READERS), new[msgid].by_day(number, "read_user"))
            for msgid in old.keys() & new.keys()
        ]
        for number in (1, 3, 7)
    }
    told = {number: [pair for pair in pairs if None not in pair] for number, pairs in both.items()}
    return [
        {
            "day_number": number,
            "articles": len(pairs),
            "successor_to_old": share(sum(b for _, b in pairs), sum(a for a, _ in pairs)),
        }
        for number, pairs in told.items()
    ]


def finish_rate(world: World, appid: str = BUSY.appid) -> Rows:
    """23. The rate of each article's newest row, weighed by the readers it is a share of."""
    articles = known(world, appid, SUCCESSOR).articles.values()
    weighed = [
        (Fraction(str(rate)), readers)
        for article in articles
        for rate, readers in [(article.latest("read_finish_rate"), article.latest("read_user"))]
        if rate is not None and readers is not None
    ]
    return [
        {
            "articles": len(weighed),
            "finish_rate": share(
                total(rate * readers for rate, readers in weighed),
                total(readers for _, readers in weighed),
            ),
        }
    ]


def _verdict(reads: int | None, earlier: Sequence[int], *, is_complete: bool) -> str:
    if not is_complete:
        return "unknown"
    if not reads:
        return "silent"
    if len(earlier) < 3:
        return "unknown"
    return "drop" if reads * 2 < (quantile(earlier) or 0) else "ok"


def drops(world: World) -> Rows:
    """24. What came on the last two days against the median of the complete ones before them."""
    rows = [
        {
            "account_name": name,
            "calendar_date": day,
            "reads": it.gained(day, READS),
            "days": len(earlier),
            "median": quantile(earlier),
            "verdict": _verdict(it.gained(day, READS), earlier, is_complete=it.is_complete(day)),
        }
        for appid, name in sorted(world.names.items())
        for it in [known(world, appid)]
        for day in (YESTERDAY - timedelta(1), YESTERDAY)
        for earlier in [
            [
                it.gained(before, READS) or 0
                for before in days(day - timedelta(7), day - timedelta(1))
                if it.is_complete(before)
            ]
        ]
    ]
    return sorted(rows, key=lambda row: row["account_name"])


def export(world: World, appid: str = BUSY.appid) -> Rows:
    """25. The publication days of which something came or changed, with all their rows."""
    it = known(world, appid)
    by_day = in_groups(it.articles.values(), lambda article: article.publication_date)
    groups = {
        day: [row for article in articles for row in article.rows.values()]
        for day, articles in by_day.items()
        if any(
            call.errcode == 0 and call.given_at > EXPORTED_AT
            for call in it.publication_days[day].calls
        )
    }
    return [
        {
            "publication_date": day,
            "rows": len(rows),
            "changed": sum(row.changed_at > EXPORTED_AT for row in rows),
            "newest": len(newest),
            "readers": total(row.values[READERS] for row in newest),
        }
        for day, rows in groups.items()
        for newest in [[article.newest for article in by_day[day] if article.rows]]
        if rows
    ]


def from_moments(world: World, appid: str = BUSY.appid) -> Rows:
    """26. The readers from Moments by the seventh day, and their share, as each endpoint tells."""
    old, new = (known(world, appid, endpoint).articles.values() for endpoint in (OLD, SUCCESSOR))
    places = {
        "7d": [
            (part, it.by_day(7, f"int_page_from_{part}_read_user"))
            for it in old
            for part in ("session", "hist_msg", "feed", "friends", "other", "kanyikan", "souyisou")
        ],
        "30d": [
            ("feed" if entry["scene_desc"] == "朋友圈" else "another", entry["user_count"])
            for it in new
            for entry in it.by_day(7, "read_user_source") or []
            if entry["scene_desc"] != "全部"
        ],
    }
    return [
        {"endpoint": endpoint, "readers": moments, "share": share(moments, total(all_places))}
        for endpoint, given in places.items()
        for all_places in [[count for _, count in given]]
        for moments in [total(count for place, count in given if place == "feed")]
        if total(all_places) is not None
    ]


def of_the_series(world: World, appid: str = BUSY.appid) -> Rows:
    """27. The articles that were first called 别再问…, with their readers."""
    articles = [
        article
        for article in most_read(known(world, appid).articles.values())
        if article.original_title.startswith("别再问")
    ]
    return [
        {"articles": len(articles), "readers": total(it.latest(READERS) for it in articles)},
    ]


def messages(world: World, appid: str = BUSY.appid) -> Rows:
    """28. The messages of November, each once, and the people each was sent to."""
    old, new = (known(world, appid, endpoint).articles for endpoint in (OLD, SUCCESSOR))
    listed = {**old, **new}
    of_message = in_groups(
        [it for it in listed.values() if it.publication_date >= NOVEMBER],
        lambda it: it.msgid.split("_")[0],
    )
    sent_to = {
        message: max(
            (old[it.msgid].latest(SENT_TO) for it in articles if it.msgid in old), default=None
        )
        for message, articles in of_message.items()
    }
    opened = {
        message: old[f"{message}_1"].latest(IN_CHAT) if f"{message}_1" in old else None
        for message in of_message
    }
    opened_of = [it for it in of_message if None not in (sent_to[it], opened[it])]
    return [
        {
            "messages": len(of_message),
            "notified": sum(
                any(new[it.msgid].publish_type == 0 for it in articles if it.msgid in new)
                for articles in of_message.values()
            ),
            "articles": total(len(articles) for articles in of_message.values()),
            "sent_to": total(sent_to.values()),
            "open_rate": share(
                total(opened[it] for it in opened_of), total(sent_to[it] for it in opened_of)
            ),
        }
    ]


def week_since_its_report(world: World, appid: str = BUSY.appid) -> Rows:
    """29. The reads of a week as they were reported, and as they are now known to be."""
    week = days(november(16), november(22))
    now, then = (
        total(
            increment
            for article in known(world, appid, at=moment).articles.values()
            for day, increment in article.increments(READS).items()
            if day in week
        )
        for moment in (NOW, REPORTED_AT)
    )
    if now is None and all(known(world, appid).is_complete(day) for day in week):
        now = 0
    change = None if None in (now, then) else now - then
    return [{"iso_week": "2026-W47", "reported": then, "now": now, "change": change}]


def restated_since(world: World, appid: str = BUSY.appid) -> Rows:
    """29. What the increments of rows that had been reported have changed by since."""
    then = known(world, appid, at=REPORTED_AT).articles
    changes = [
        (article.increments(READS)[day] or 0) - (then[msgid].increments(READS)[day] or 0)
        for msgid, article in known(world, appid).articles.items()
        for day in days(november(16), november(22))
        if msgid in then and day in then[msgid].rows
    ]
    return [{"restated": total(changes)}]


def _company_days(world: World, appid: str, its_days: Sequence[date]) -> Iterator[Any]:
    """Of each day its readers, these as the old endpoint counts, whether complete, and whose."""
    old, new = known(world, appid), known(world, appid, SUCCESSOR)
    exact = max(day for day in days(FIRST_DAY, YESTERDAY) if old.reaches(day))
    both = [
        day for day in days(FIRST_DAY, YESTERDAY) if old.is_complete(day) and new.is_complete(day)
    ]
    of_old, of_new = (
        total(it.gained(day, metric) for day in both)
        for it, metric in [(old, READERS), (new, "read_user")]
    )
    for day in its_days:
        of_successor = new.gained(day, "read_user")
        if day <= exact or of_successor is None:
            yield old.gained(day, READERS), old.gained(day, READERS), old.is_complete(day), "7d"
        else:
            comparable = share(of_old, of_new) and round(of_successor * Fraction(of_old, of_new))
            yield of_successor, comparable, new.is_complete(day), "30d"


def readers_through_a_retirement(world: World) -> Rows:
    """30. The readers of all accounts by week, of a retired one by its successor's."""
    weeks = {
        week: [date.fromisocalendar(2026, week, day) for day in range(1, 8)]
        for week in (45, 46, 47)
    }
    return [
        {
            "iso_week": f"2026-W{week}",
            "readers": total(readers for readers, *_ in found),
            "comparable": total(comparable for _, comparable, *_ in found),
            "complete_days": sum(is_complete for *_, is_complete, _ in found),
            "successor_days": sum(endpoint == "30d" for *_, endpoint in found),
            "account_days": len(found),
        }
        for week, its_days in weeks.items()
        for found in [[it for appid in world.names for it in _company_days(world, appid, its_days)]]
    ]


def against_four_weeks_earlier(world: World, appid: str = BUSY.appid) -> Rows:
    """31. The reads of the days of November that are known, as are those four weeks earlier."""
    it = known(world, appid)
    its_days = days(NOVEMBER, YESTERDAY)
    both = [
        (day, earlier)
        for day in its_days
        for earlier in [day - timedelta(28)]
        if it.is_complete(day) and it.is_complete(earlier)
    ]
    reads, before = (total(it.gained(pair[n], READS) for pair in both) for n in (0, 1))
    change = share(reads, before)
    return [
        {
            "days": len(its_days),
            "compared_days": len(both),
            "reads": reads,
            "reads_before": before,
            "change": None if change is None else change - 1,
        }
    ]


def lagging(world: World) -> Rows:
    """
    32. The accounts that have no answer for yesterday, and their newest day that has one.

    Not the one for which WeChat has retired the endpoint.
    """
    newest = {
        appid: max(
            day
            for day, it in known(world, appid).publication_days.items()
            if any(call.errcode == 0 for call in it.calls)
        )
        for appid in world.names
        if not known(world, appid).is_retired
    }
    return [
        {"account_name": world.names[appid], "last_loaded_date": day}
        for appid, day in sorted(newest.items(), key=lambda item: (world.names[item[0]], item[0]))
        if day < YESTERDAY
    ]


# ------------------------------------------------------------------------------ of statistics days

IN_WINDOW = max(WINDOW.values())
LAST_WEEK = days(november(17), YESTERDAY)
SCENES = {
    "公众号消息": "session",
    "公众号主页": "history",
    "朋友圈": "feed",
    "聊天会话": "friends",
    "其他": "other",
    "推荐": "kanyikan",
    "搜一搜": "souyisou",
}
CHANNELS = {
    0: "others",
    1: "search",
    17: "name_card",
    30: "qr_code",
    57: "article",
    100: "advertisement",
    149: "mini_program",
    161: "reprint",
    200: "video_account",
    201: "live_stream",
}


def told(world: World, appid: str, endpoint: str) -> dict[date, list[dict[str, Any]]]:
    """What the newest answer for each day lists."""
    return {
        it.publication_date: it.json["list"]
        for it in world.given
        if (it.appid, it.endpoint, it.errcode) == (appid, endpoint, 0)
    }


@dataclass(frozen=True)
class Reading:
    """Those who read an article on a day, and those who shared it."""

    msgid: str
    stat_date: date
    published: date | None
    read_user: int | None
    share_user: int | None
    scenes: dict[str, int]

    @property
    def day_number(self) -> int:
        """How old the article is; very, if nobody says when it was published."""
        return 999 if self.published is None else (self.stat_date - self.published).days + 1


def readings(world: World, appid: str) -> list[Reading]:
    """Of each article and day on which it was read."""
    published = {
        msgid: article.publication_date
        for endpoint in DATASETS.values()
        for msgid, article in known(world, appid, endpoint).articles.items()
    }
    shared = {
        day: {item["msgid"]: item["detail"].get("share_user") for item in items}
        for day, items in told(world, appid, "getarticleshare").items()
    }
    return [
        Reading(
            item["msgid"],
            day,
            published.get(item["msgid"]),
            item["detail"].get("read_user"),
            shared[day].get(item["msgid"], 0) if day in shared else None,
            {
                SCENES.get(it["scene_desc"], it["scene_desc"]): it["user_count"]
                for it in item["detail"].get("read_user_source", [])
                if it["scene_desc"] != "全部"
            },
        )
        for day, items in told(world, appid, "getarticleread").items()
        for item in items
    ]


def old_articles(world: World, appid: str = BUSY.appid) -> Rows:
    """33. What the most read articles after their window brought."""
    old = [it for it in readings(world, appid) if it.published and it.day_number > IN_WINDOW]
    found = [
        {
            "msgid": msgid,
            "publication_date": its[0].published,
            "day_number": max(it.day_number for it in its),
            "readers": total(it.read_user for it in its),
        }
        for msgid, its in in_groups(old, lambda it: it.msgid).items()
    ]
    return sorted(found, key=lambda row: -(row["readers"] or 0))[:5]


def share_of_old_articles(world: World, appid: str = BUSY.appid) -> Rows:
    """34. How much of each day's reading was of articles after their window."""
    week = [it for it in readings(world, appid) if it.stat_date in LAST_WEEK]
    return [
        {
            "stat_date": day,
            "readers": readers,
            "of_old_articles": of_old,
            "share": share(of_old, readers),
        }
        for day, its in in_groups(week, lambda it: it.stat_date).items()
        for readers in [total(it.read_user for it in its)]
        for of_old in [total(it.read_user for it in its if it.day_number > IN_WINDOW)]
    ]


def tail_by_age(world: World, appid: str = BUSY.appid) -> Rows:
    """35. What articles bring after thirty days, by ten days of age."""
    old = [it for it in readings(world, appid) if it.published and it.day_number > IN_WINDOW]
    return [
        {
            "from_day": first,
            "articles": len({it.msgid for it in its}),
            "readers": readers,
            "readers_a_day": share(readers, len(its)),
        }
        for first, its in in_groups(
            [it for it in old if it.read_user is not None],
            lambda it: (it.day_number - 31) // 10 * 10 + 31,
        ).items()
        for readers in [total(it.read_user for it in its)]
    ]


def scenes_of_old_articles(world: World, appid: str = BUSY.appid) -> Rows:
    """36. Where readers come from, within the window and after it."""
    counted = [
        (scene, count, it.day_number > IN_WINDOW)
        for it in readings(world, appid)
        for scene, count in it.scenes.items()
    ]
    return [
        {
            "scene": scene,
            "of_new_articles": total(count for _, count, is_old in its if not is_old),
            "of_old_articles": total(count for _, count, is_old in its if is_old),
        }
        for scene, its in in_groups(counted, lambda it: it[0]).items()
    ]


def _summaries(world: World, appid: str) -> dict[date, int | None]:
    """The people who read anything of the account on a day; an empty answer does not say."""
    return {
        day: items[0]["detail"].get("read_user") if items else None
        for day, items in told(world, appid, "getbizsummary").items()
    }


def _stocks(world: World, appid: str) -> dict[date, int | None]:
    """The followers at the end of a day."""
    return {
        day: items[0].get("cumulate_user")
        for day, items in told(world, appid, "getusercumulate").items()
        if items
    }


def people_and_readers(world: World, appid: str = BUSY.appid) -> Rows:
    """37. The people who read anything, and the sum of the articles' readers."""
    people, read = _summaries(world, appid), told(world, appid, "getarticleread")
    return [
        {
            "stat_date": day,
            "people": people.get(day),
            "article_readers": sum(it["detail"]["read_user"] for it in read[day]),
        }
        for day in LAST_WEEK
        if read.get(day)
    ]


def readers_a_follower(world: World, appid: str = BUSY.appid) -> Rows:
    """38. How many people read for each follower."""
    people, stocks = _summaries(world, appid), _stocks(world, appid)
    return [
        {
            "stat_date": day,
            "followers": stocks.get(day),
            "readers_a_follower": share(people.get(day), stocks.get(day)),
        }
        for day in LAST_WEEK
        if day in stocks or day in told(world, appid, "getusersummary")
    ]


def _changes(world: World, appid: str) -> Rows:
    """Followers won and lost on each day of which anything was answered."""
    change = told(world, appid, "getusersummary")
    asked = change.keys() | told(world, appid, "getusercumulate").keys()
    stocks = _stocks(world, appid)
    return [
        {
            "stat_date": day,
            "new_user": sum(it["new_user"] for it in change[day]) if day in change else None,
            "cancel_user": sum(it["cancel_user"] for it in change[day]) if day in change else None,
            "is_complete": day in (change or stocks),
        }
        for day in sorted(asked)
    ]


def followers_by_week(world: World, appid: str = BUSY.appid) -> Rows:
    """39. Followers won and lost by week."""
    weeks = [it for it in _changes(world, appid) if november(2) <= it["stat_date"] <= november(22)]
    return [
        {
            "iso_week": f"2026-W{week}",
            "gained": gained,
            "lost": lost,
            "net": None if gained is None else gained - lost,
            "complete_days": sum(it["is_complete"] for it in its),
        }
        for week, its in in_groups(weeks, lambda it: it["stat_date"].isocalendar().week).items()
        for gained in [total(it["new_user"] for it in its)]
        for lost in [total(it["cancel_user"] for it in its)]
    ]


def channels(world: World, appid: str = BUSY.appid) -> Rows:
    """40. Followers won and lost by channel."""
    given = [item for items in told(world, appid, "getusersummary").values() for item in items]
    found = [
        {
            "channel": channel,
            "gained": total(it["new_user"] for it in its),
            "lost": total(it["cancel_user"] for it in its),
        }
        for channel, its in in_groups(given, lambda it: CHANNELS[it["user_source"]]).items()
    ]
    return sorted(found, key=lambda row: -row["gained"])


def around_a_hit(world: World, appid: str = BUSY.appid) -> Rows:
    """41. Followers won around the day of the most read article."""
    first = [
        it
        for it in readings(world, appid)
        if it.day_number == 1 and november(4) <= it.stat_date <= november(18)
    ]
    if not first:
        return []
    hit = min(first, key=lambda it: (-(it.read_user or 0), it.msgid)).stat_date
    return [
        {
            "day": (it["stat_date"] - hit).days,
            "new_user": it["new_user"],
            "net_user": it["new_user"] and it["new_user"] - it["cancel_user"],
        }
        for it in _changes(world, appid)
        if -3 <= (it["stat_date"] - hit).days <= 5
    ]


def sharers_by_age(world: World, appid: str = BUSY.appid) -> Rows:
    """42. How many of the day's readers shared, by the article's age."""

    def age(it: Reading) -> tuple[int, str]:
        steps = [(1, "first day"), (7, "first week"), (IN_WINDOW, "first month"), (999, "older")]
        return next(step for step in steps if it.day_number <= step[0])

    both = [it for it in readings(world, appid) if None not in (it.read_user, it.share_user)]
    return [
        {
            "age": name,
            "readers": readers,
            "sharers": sharers,
            "share": share(sharers, readers),
        }
        for (_, name), its in in_groups(both, age).items()
        for readers in [total(it.read_user for it in its)]
        for sharers in [total(it.share_user for it in its)]
    ]


Truth = Callable[..., Rows]
"""From the world, and of whom or when it is asked, where that is not what the page asks."""

TRUTHS: dict[int, Sequence[Truth]] = {
    1: [newest_articles],
    2: [most_read_of_the_month],
    3: [gained_each_day],
    4: [gained_by_one_article],
    5: [reached_by_day],
    6: [sources],
    7: [open_rate_by_weekday],
    8: [better_than_usual],
    9: [what_we_have],
    10: [corrections, kinds_of_change],
    11: [weekly_report],
    12: [best_weekday],
    13: [took_off_late],
    14: [long_tail],
    15: [accounts_compared],
    16: [word_in_the_title],
    17: [cohort],
    18: [months],
    19: [changed_since],
    20: [known_then],
    21: [what_is_missing],
    22: [successor_to_old],
    23: [finish_rate],
    24: [drops],
    25: [export],
    26: [from_moments],
    27: [of_the_series],
    28: [messages],
    29: [week_since_its_report, restated_since],
    30: [readers_through_a_retirement],
    31: [against_four_weeks_earlier],
    32: [lagging],
    33: [old_articles],
    34: [share_of_old_articles],
    35: [tail_by_age],
    36: [scenes_of_old_articles],
    37: [people_and_readers],
    38: [readers_a_follower],
    39: [followers_by_week],
    40: [channels],
    41: [around_a_hit],
    42: [sharers_by_age],
}
"""Of each question, by its number on the page, in the order of its queries."""
