"""
The truth of each question of docs/analysts.md and docs/cookbook.md, from what WeChat answered.

Rows have the names of the page's columns. Shares are exact: they are rounded as the page's query
rounds. Where nothing else is said, the account is the page's, 春风, the endpoint the successor, and
now is after the run of 24 November.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from functools import cache, cached_property
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
READERS, SHARERS, FAVOURITES = "readers", "sharers", "favourites"
IN_CHAT, SENT_TO = "int_page_from_session_read_user", "target_user"
TWO = (BUSY.appid, PAPER.appid)
FIRST_DAY, YESTERDAY = HISTORY[0], NOW.date() - timedelta(1)
DATASETS = {"article_total": OLD, "article_total_detail": SUCCESSOR}
EXPORTED_AT = at(november(24), 9, 0)
"""When an export began, less an hour."""
REPORTED_AT = at(november(23), 12, 0)
NOVEMBER = november(1)
LAST_WEEK = days(november(17), YESTERDAY)
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKS = {
    f"2026-W{week}": [date.fromisocalendar(2026, week, day) for day in range(1, 8)]
    for week in (45, 46, 47)
}
GROWING = {
    OLD: [
        *("int_page_read_user", "int_page_read_count", "ori_page_read_user"),
        *("ori_page_read_count", "share_user", "share_count"),
        *("add_to_fav_user", "add_to_fav_count"),
    ],
    SUCCESSOR: [
        *("read_user", "share_user", "zaikan_user", "like_user", "comment_count"),
        *("collection_user", "praise_money", "read_subscribe_user"),
    ],
}
"""The totals of which none is a part of another."""


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
    return sorted(read, key=lambda article: (-article.latest(READERS), article.msgid))


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


def original_title(world: World, appid: str, msgid: str) -> str:
    """What the first answer of either endpoint called the article."""
    listed = [
        item["title"]
        for given in world.given
        if given.appid == appid and given.endpoint in WINDOW and given.errcode == 0
        for item in given.json["list"]
        if item["msgid"] == msgid
    ]
    return str(listed[0])


# --------------------------------------------------------------------------------- of every day


def which_endpoint(world: World) -> Rows:
    """The newest day that each endpoint told of, and whether WeChat has taken it offline."""
    return [
        {"account_name": world.names[appid]}
        | {
            name: value
            for suffix, endpoint in (("7d", OLD), ("30d", SUCCESSOR))
            for it in [known(world, appid, endpoint)]
            for name, value in (
                (f"last_loaded_date_{suffix}", it.last_loaded),
                (f"is_retired_{suffix}", it.is_retired),
            )
        }
        for appid in sorted(world.names, key=lambda it: (world.names[it], it))
    ]


def newest_articles(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """1. The newest articles that have a row, the most read of each day first."""
    newest_first = sorted(
        [it for it in known(world, appid, endpoint).published(november(22)) if it.rows],
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


def most_read_of_the_month(
    world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR
) -> Rows:
    """2. The five articles of November that were read most."""
    articles = known(world, appid, endpoint).published(november(1), november(30))
    return [
        {
            "title": article.title,
            "publication_date": article.publication_date,
            "readers": article.latest(READERS),
            "favourites": article.latest(FAVOURITES),
        }
        for article in most_read(articles)[:5]
    ]


@dataclass(frozen=True, eq=False)
class Company:
    """The company's one series: an account's days, each of one endpoint."""

    old: Known
    new: Known

    @cached_property
    def last_exact(self) -> date:
        """The last day of which every expected article has its row at the old endpoint."""
        return max(it for it in days(FIRST_DAY, YESTERDAY) if self.old.reaches(it))

    @cached_property
    def both(self) -> list[date]:
        """The days of which all is known from both."""
        its_days = days(FIRST_DAY, YESTERDAY)
        return [it for it in its_days if self.old.is_complete(it) and self.new.is_complete(it)]

    def endpoint(self, day: date) -> str:
        """The old one while every expected article has its row, and where it alone knows."""
        of_old, of_new = self.old.gained(day, READERS), self.new.gained(day, READERS)
        is_old = day <= self.last_exact or (of_new is None and of_old is not None)
        return "7d" if is_old else "30d"

    def _its(self, day: date) -> Known:
        return self.old if self.endpoint(day) == "7d" else self.new

    def gained(self, day: date, metric: str) -> int | None:
        """As the day's endpoint counted."""
        return self._its(day).gained(day, metric)

    def is_complete(self, day: date) -> bool:
        """Of the day's endpoint."""
        return self._its(day).is_complete(day)

    def comparable(self, day: date) -> int | None:
        """The readers as the old endpoint counts, by what both counted of the same days."""
        gained = self.gained(day, READERS)
        if self.endpoint(day) == "7d" or gained is None:
            return gained
        of_old, of_new = (
            total(it.gained(its, READERS) for its in self.both) for it in (self.old, self.new)
        )
        ratio = share(of_old, of_new)
        return None if ratio is None else round(gained * ratio)


@cache
def company(world: World, appid: str) -> Company:
    """An account's."""
    return Company(known(world, appid), known(world, appid, SUCCESSOR))


def gained_each_day(world: World, appid: str = BUSY.appid) -> Rows:
    """3. What came on each day over all articles."""
    it = company(world, appid)
    return [
        {
            "calendar_date": day,
            "published": published_on(world, appid, day),
            "readers": it.gained(day, READERS),
            "sharers": it.gained(day, SHARERS),
            "endpoint": it.endpoint(day),
            "is_complete": it.is_complete(day),
        }
        for day in LAST_WEEK
    ]


# ------------------------------------------------------------------------------------ of articles


def gained_by_one_article(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """4. What each day added to the most read of the articles published before 16 November."""
    articles = most_read(known(world, appid, endpoint).published(date.min, november(15)))
    return [
        {
            "stat_date": day,
            "day_number": article.day_number(day),
            "days_spanned": article.days_spanned(day),
            "new_readers": article.increments(READERS)[day],
            "new_sharers": article.increments(SHARERS)[day],
            "has_fall": any((article.increments(it)[day] or 0) < 0 for it in GROWING[endpoint]),
        }
        for article in articles[:1]
        for day in article.stat_dates[:7]
    ]


def reached_by_day(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """5. The share of their final readers that final articles had by a day, sums over sums."""
    articles = final(known(world, appid, endpoint).articles.values())

    def by(number: int) -> Fraction | None:
        reached = with_day(articles, number)
        return share(
            total(it.by_day(number, READERS) for it in reached),
            total(it.latest(READERS) for it in reached),
        )

    return [
        {"articles": len(articles), "by_day_1": by(1), "by_day_3": by(3), "by_day_7": by(7)},
    ]


def took_off_late(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """5. The final articles with the least of their readers by the third day."""
    rows = [
        (share(it.by_day(3, READERS), it.latest(READERS)), it)
        for it in with_day(final(known(world, appid, endpoint).articles.values()), 3)
    ]
    late = sorted((of for of in rows if of[0] is not None), key=lambda of: (of[0], of[1].msgid))
    return [
        {
            "title": article.title,
            "publication_date": article.publication_date,
            "readers_day_3": article.by_day(3, READERS),
            "readers": article.latest(READERS),
            "share": reached,
        }
        for reached, article in late[:3]
    ]


def finish_rate(world: World, appid: str = BUSY.appid) -> Rows:
    """6. The rate of each article's newest row, weighed by the readers it is a share of."""
    articles = known(world, appid, SUCCESSOR).articles.values()
    weighed = [
        (Fraction(str(rate)), readers)
        for article in articles
        for rate, readers in [(article.latest("read_finish_rate"), article.latest(READERS))]
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


def better_than_usual(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """7. Articles of 20 November against those in the same place, by the third day."""
    it = known(world, appid, endpoint)
    articles = with_day(it.of_day(november(20)), 3)
    rows = [
        {
            "title": article.title,
            "position": article.position,
            "readers_by_day_3": article.by_day(3, READERS),
            "median": quantile(usual(it, article.position, 3)),
            "upper_quartile": quantile(usual(it, article.position, 3), Fraction(3, 4)),
        }
        for article in sorted(articles, key=lambda it: (it.position, it.msgid))
    ]
    return [row for row in rows if row["median"] is not None][:6]


def word_in_the_title(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """
    8. Readers by the third day over what is usual in that place, with 医保 and without.

    Of the articles of 90 days.
    """
    it = known(world, appid, endpoint)
    articles = [
        article
        for article in with_day(it.published(YESTERDAY - timedelta(89)), 3)
        if quantile(usual(it, article.position, 3))
    ]
    return [
        {
            "has_word": has_word,
            "articles": len(group),
            "against_usual": quantile(
                Fraction(article.by_day(3, READERS))
                / (quantile(usual(it, article.position, 3)) or 1)
                for article in group
            ),
        }
        for has_word, group in in_groups(articles, lambda it: "医保" in it.title).items()
    ]


def cohort(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """9. The readers by each day of the articles of 1 to 15 November that have the first seven."""
    its = known(world, appid, endpoint)
    articles = with_day(its.published(november(1), november(15)), *range(1, 8))
    return [
        {
            "day_number": number,
            "articles": len(articles),
            "readers": sum(it.by_day(number, READERS) or 0 for it in articles),
        }
        for number in range(1, 8)
        if articles
    ]


def of_the_series(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """10. The articles that were first called 别再问…, with their readers."""
    articles = [
        article
        for article in known(world, appid, endpoint).articles.values()
        if article.rows and original_title(world, appid, article.msgid).startswith("别再问")
    ]
    return [
        {"articles": len(articles), "readers": total(it.latest(READERS) for it in articles)},
    ]


SCENES = {
    "公众号消息": ("session", "session", "The account's own chat"),
    "公众号主页": ("history", "hist_msg", "The list of past messages"),
    "朋友圈": ("feed", "feed", "Moments"),
    "聊天会话": ("friends", "friends", "A friend's chat"),
    "其他": ("other", "other", "Elsewhere"),
    "推荐": ("kanyikan", "kanyikan", "Top Stories (kanyikan)"),
    "搜一搜": ("souyisou", "souyisou", "Search (souyisou)"),
}
"""By what the lists call them: the code, the part of the old metrics' names, the name."""


def sources(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """11. Where readers came from by the seventh day, and each place's share of their sum."""
    articles = known(world, appid, endpoint).articles.values()
    if endpoint == OLD:
        given = [
            (name, it.by_day(7, f"int_page_from_{part}_read_user"))
            for it in articles
            for _, part, name in SCENES.values()
        ]
    else:
        given = [
            (SCENES[entry["scene_desc"]][2], entry["user_count"])
            for it in articles
            for entry in it.by_day(7, "read_user_source") or []
            if entry["scene_desc"] != "全部"
        ]
    told_of = [pair for pair in given if pair[1] is not None]
    readers = {
        name: sum(count for _, count in pairs)
        for name, pairs in in_groups(told_of, lambda pair: pair[0]).items()
    }
    return [
        {"scene_name": name, "readers": count, "share": share(count, sum(readers.values()))}
        for name, count in sorted(readers.items(), key=lambda item: (-item[1], item[0]))
    ]


# ---------------------------------------------------------------------------- accounts and weeks


def weekly_report(world: World, appids: Sequence[str] = TWO) -> Rows:
    """12. What came in each week over all articles; the share rate is of what came."""
    return [
        {
            "account_name": world.names[appid],
            "iso_week": week,
            "published": sum(published_on(world, appid, day) for day in its_days),
            "readers": total(it.gained(day, READERS) for day in its_days),
            "sharers": total(it.gained(day, SHARERS) for day in its_days),
            "share_rate": share(
                total(it.gained(day, SHARERS) for day in its_days),
                total(it.gained(day, READERS) for day in its_days),
            ),
            "complete_days": sum(it.is_complete(day) for day in its_days),
        }
        for appid in sorted(appids, key=lambda it: (world.names[it], it))
        for it in [company(world, appid)]
        for week, its_days in WEEKS.items()
    ]


def months(world: World, appid: str = BUSY.appid) -> Rows:
    """13. What came on the days of October and November on which all is known."""
    it = company(world, appid)
    return [
        {
            "month": f"2026-{month}",
            "days": len(its_days),
            "complete_days": len(complete),
            "readers": total(it.comparable(day) for day in complete),
            "readers_per_day": share(total(it.comparable(day) for day in complete), len(complete)),
        }
        for month, its_days in in_groups(days(FIRST_DAY, YESTERDAY), lambda day: day.month).items()
        for complete in [[day for day in its_days if it.is_complete(day)]]
    ]


def against_four_weeks_earlier(world: World, appid: str = BUSY.appid) -> Rows:
    """14. The readers of the days of November that are known, as are those four weeks earlier."""
    it = company(world, appid)
    its_days = days(NOVEMBER, YESTERDAY)
    both = [
        (day, earlier)
        for day in its_days
        for earlier in [day - timedelta(28)]
        if it.is_complete(day) and it.is_complete(earlier)
    ]
    readers, before = (total(it.comparable(pair[n]) for pair in both) for n in (0, 1))
    change = share(readers, before)
    return [
        {
            "days": len(its_days),
            "compared_days": len(both),
            "readers": readers,
            "readers_before": before,
            "change": None if change is None else change - 1,
        }
    ]


def accounts_compared(world: World, appids: Sequence[str] = TWO, endpoint: str = SUCCESSOR) -> Rows:
    """15. First articles by the third day, of two accounts."""
    return [
        {
            "account_name": world.names[appid],
            "messages": len(articles),
            "median_readers": quantile(it.by_day(3, READERS) for it in articles),
            "share_rate": share(
                total(it.by_day(3, SHARERS) for it in articles),
                total(it.by_day(3, READERS) for it in with_day(articles, 3, metric=SHARERS)),
            ),
        }
        for appid in sorted(appids, key=lambda it: (world.names[it], it))
        for articles in [with_day(first_articles(known(world, appid, endpoint)), 3)]
        if articles
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
    """16. What came on the last two days against the median of the complete ones before them."""
    rows = [
        {
            "account_name": name,
            "calendar_date": day,
            "readers": it.comparable(day),
            "days": len(earlier),
            "median": quantile(earlier),
            "verdict": _verdict(it.comparable(day), earlier, is_complete=it.is_complete(day)),
        }
        for appid, name in sorted(world.names.items())
        for it in [company(world, appid)]
        for day in (YESTERDAY - timedelta(1), YESTERDAY)
        for earlier in [
            [
                readers
                for before in days(day - timedelta(7), day - timedelta(1))
                if it.is_complete(before)
                for readers in [it.comparable(before)]
                if readers is not None
            ]
        ]
    ]
    return sorted(rows, key=lambda row: row["account_name"])


def readers_through_a_retirement(world: World) -> Rows:
    """17. The readers of all accounts by week, of a retired one by its successor's."""
    its = [company(world, appid) for appid in world.names]
    return [
        {
            "iso_week": week,
            "readers": total(it.gained(day, READERS) for it, day in found),
            "comparable": total(it.comparable(day) for it, day in found),
            "complete_days": sum(it.is_complete(day) for it, day in found),
            "successor_days": sum(it.endpoint(day) == "30d" for it, day in found),
            "account_days": len(found),
        }
        for week, its_days in WEEKS.items()
        for found in [[(it, day) for it in its for day in its_days]]
    ]


def best_weekday(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """18. The median readers by the third day of first articles, by weekday of publication."""
    articles = with_day(first_articles(known(world, appid, endpoint)), 3)
    return [
        {
            "weekday_name": WEEKDAYS[weekday],
            "messages": len(group),
            "median_readers": quantile(it.by_day(3, READERS) for it in group),
        }
        for weekday, group in in_groups(articles, lambda it: it.publication_date.weekday()).items()
    ]


def messages(world: World, appid: str = BUSY.appid) -> Rows:
    """19. The messages of November, each once, and the people each was sent to."""
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
    counted = [
        new[it.msgid].latest(READERS)
        for articles in of_message.values()
        for it in articles
        if it.msgid in new and new[it.msgid].latest(READERS) is not None
    ]
    return [
        {
            "messages": len(of_message),
            "notified": sum(
                any(new[it.msgid].publish_type == 0 for it in articles if it.msgid in new)
                for articles in of_message.values()
            ),
            "articles": total(len(articles) for articles in of_message.values()),
            "counted": len(counted) if of_message else None,
            "readers": total(counted),
            "sent_to": total(sent_to.values()),
            "open_rate": share(
                total(opened[it] for it in opened_of), total(sent_to[it] for it in opened_of)
            ),
        }
    ]


# ------------------------------------------------------------------------------ of statistics days

IN_WINDOW = max(WINDOW.values())
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
                SCENES[it["scene_desc"]][0]: it["user_count"]
                for it in item["detail"].get("read_user_source", [])
                if it["scene_desc"] != "全部"
            },
        )
        for day, items in told(world, appid, "getarticleread").items()
        for item in items
    ]


def old_articles(world: World, appid: str = BUSY.appid) -> Rows:
    """20. How much of each day's reading was of articles after their window."""
    week = [it for it in readings(world, appid) if it.stat_date in LAST_WEEK]
    return [
        {
            "stat_date": day,
            "readers": total(it.read_user for it in its),
            "of_old_articles": total(it.read_user for it in its if it.day_number > IN_WINDOW),
            "sharers": total(it.share_user for it in its),
        }
        for day, its in in_groups(week, lambda it: it.stat_date).items()
    ]


def scenes_of_old_articles(world: World, appid: str = BUSY.appid) -> Rows:
    """20. Where readers come from, within the window and after it."""
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


def _stocks(world: World, appid: str) -> dict[date, int | None]:
    """The followers at the end of a day."""
    return {
        day: items[0].get("cumulate_user")
        for day, items in told(world, appid, "getusercumulate").items()
        if items
    }


def people_and_followers(world: World, appid: str = BUSY.appid) -> Rows:
    """21. The people who read anything, as often as there are followers; of every day asked."""
    people = {
        day: items[0]["detail"].get("read_user")
        for day, items in told(world, appid, "getbizsummary").items()
        if items
    }
    stocks = _stocks(world, appid)
    return [
        {
            "stat_date": day,
            "people": people.get(day),
            "followers": stocks.get(day),
            "readers_a_follower": share(people.get(day), stocks.get(day)),
        }
        for day in LAST_WEEK
    ]


def followers_by_week(world: World, appid: str = BUSY.appid) -> Rows:
    """22. Followers won and lost by week, of the days that were answered."""
    change, stocks = told(world, appid, "getusersummary"), _stocks(world, appid)

    def gained(key: str, its_days: Iterable[date]) -> int | None:
        known_days = [day for day in its_days if day in change and is_known(day)]
        return total(sum(it[key] for it in change[day]) for day in known_days)

    def is_known(day: date) -> bool:
        return bool(change[day]) or NOW.date() >= day + timedelta(2)

    return [
        {
            "iso_week": week,
            "won": won,
            "lost": lost,
            "net": None if won is None or lost is None else won - lost,
            "complete_days": sum(
                day in change and is_known(day) and stocks.get(day) is not None for day in its_days
            ),
        }
        for week, its_days in WEEKS.items()
        for won, lost in [[gained(it, its_days) for it in ("new_user", "cancel_user")]]
    ]


def channels(world: World, appid: str = BUSY.appid) -> Rows:
    """22. Followers won and lost by channel."""
    given = [item for items in told(world, appid, "getusersummary").values() for item in items]
    found = [
        {
            "channel": channel,
            "won": total(it["new_user"] for it in its),
            "lost": total(it["cancel_user"] for it in its),
        }
        for channel, its in in_groups(given, lambda it: CHANNELS[it["user_source"]]).items()
    ]
    return sorted(found, key=lambda row: -row["won"])


# --------------------------------------------------------------- what is there, and what changed


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
    """23. The publication days of 春风 by what there is of them, and by their last call."""
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


def lagging(world: World) -> Rows:
    """
    23. The accounts that have no answer for yesterday, and their newest day that has one.

    Not one for which WeChat has retired the endpoint. An answer counts that says something.
    """
    newest = {
        appid: known(world, appid, SUCCESSOR).last_loaded
        for appid in world.names
        if not known(world, appid, SUCCESSOR).is_retired
    }
    return [
        {"account_name": world.names[appid], "last_loaded_date": day}
        for appid, day in sorted(newest.items(), key=lambda item: (world.names[item[0]], item[0]))
        if day < YESTERDAY
    ]


def what_is_missing(world: World) -> Rows:
    """23. The days that are not in, were not answered last or have articles that lack a row."""
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


def corrections(world: World, appid: str = BUSY.appid) -> Rows:
    """24. Readers that WeChat told otherwise later, as often as it did, the first five by title."""
    rows = [
        {
            "title": change.article.title,
            "stat_date": change.stat_date,
            "metric": change.metric,
            "old_value": change.old,
            "new_value": change.new,
            "total_difference": change.new - change.old,
        }
        for endpoint, metric in ((OLD, "int_page_read_user"), (SUCCESSOR, "read_user"))
        for change in known(world, appid, endpoint).changes
        if change.metric == metric and change.old is not None
    ]
    return sorted(rows, key=lambda row: (row["title"], row["stat_date"], row["metric"]))[:5]


def week_since_its_report(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """24. The readers of a week as they were reported, and as they are now known to be."""
    week = WEEKS["2026-W47"]
    now, then = (
        [
            increment
            for article in known(world, appid, endpoint, at=moment).articles.values()
            for day, increment in article.increments(READERS).items()
            if day in week
        ]
        for moment in (NOW, REPORTED_AT)
    )
    change = None if None in (total(now), total(then)) else total(now) - total(then)
    row = {"iso_week": "2026-W47", "reported": total(then), "now": total(now), "change": change}
    return [row] if now else []


def export(world: World, appid: str = BUSY.appid, endpoint: str = SUCCESSOR) -> Rows:
    """25. The publication days of which something came or changed, with all their rows."""
    it = known(world, appid, endpoint)
    by_day = in_groups(it.published(november(17)), lambda article: article.publication_date)
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
            "newest": len(newest),
            "readers": total(article.figure(article.newest, READERS) for article in newest),
        }
        for day, rows in groups.items()
        for newest in [[article for article in by_day[day] if article.rows]]
        if rows
    ]


Truth = Callable[..., Rows]
"""From the world, and of whom or which endpoint, where that is not what the page asks."""

TRUTHS: dict[str, Sequence[Truth]] = {
    "Which endpoint does the account have?": [which_endpoint],
    "1": [newest_articles],
    "2": [most_read_of_the_month],
    "3": [gained_each_day],
    "4": [gained_by_one_article],
    "5": [reached_by_day, took_off_late],
    "6": [finish_rate],
    "7": [better_than_usual],
    "8": [word_in_the_title],
    "9": [cohort],
    "10": [of_the_series],
    "11": [sources],
    "12": [weekly_report],
    "13": [months],
    "14": [against_four_weeks_earlier],
    "15": [accounts_compared],
    "16": [drops],
    "17": [readers_through_a_retirement],
    "18": [best_weekday],
    "19": [messages],
    "20": [old_articles, scenes_of_old_articles],
    "21": [people_and_followers],
    "22": [followers_by_week, channels],
    "23": [what_we_have, lagging, what_is_missing],
    "24": [corrections, week_since_its_report],
    "25": [export],
}
"""Of each question, by its number or title, in the order of its queries."""
