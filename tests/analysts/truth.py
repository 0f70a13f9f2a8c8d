"""
The truth of each question of docs/analysts.md and docs/cookbook.md, from what WeChat answered.

A row has the values of the page's columns, in their order. Shares are exact: they are rounded as
the page's query rounds. Where nothing else is said, the account is the page's, 春风, the endpoint
the successor, and now is after the run of 24 November.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
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

Rows = list[tuple[Any, ...]]
READERS, SHARERS = "readers", "sharers"
FIRST_DAY, YESTERDAY = HISTORY[0], NOW.date() - timedelta(1)
DATASETS = {"article_total": OLD, "article_total_detail": SUCCESSOR}
EXPORTED_AT = at(november(24), 9, 0)
"""When an export began, less an hour."""
REPORTED_AT = at(november(23), 12, 0)
LAST_WEEK = days(november(17), YESTERDAY)
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKS = {
    f"2026-W{week}": [date.fromisocalendar(2026, week, day) for day in range(1, 8)]
    for week in (45, 46, 47)
}


@dataclass(frozen=True)
class Asked:
    """Of whom a question is asked: an account, or several, and by which endpoint."""

    world: World
    appid: str = BUSY.appid
    endpoint: str = SUCCESSOR
    appids: tuple[str, ...] = (BUSY.appid, PAPER.appid)

    @property
    def known(self) -> Known:
        """Of the account, by the endpoint."""
        return known(self.world, self.appid, self.endpoint)

    @property
    def articles(self) -> list[Article]:
        """All of these."""
        return [*self.known.articles.values()]

    @property
    def company(self) -> "Company":
        """The account's one series."""
        return company(self.world, self.appid)

    def by_name(self, appids: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Accounts and their names, in the order of these."""
        yield from sorted(((it, self.world.names[it]) for it in appids), key=lambda it: it[::-1])


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


def age(article: Article, day: date) -> int:
    """1 on the publication day."""
    return (day - article.publication_date).days + 1


def most_read(articles: Iterable[Article]) -> list[Article]:
    """Those whose readers are known, the most read first."""
    read = [it for it in articles if it.latest(READERS) is not None]
    return sorted(read, key=lambda it: (-it.latest(READERS), it.msgid))


def with_day(articles: Iterable[Article], *numbers: int, metric: str = READERS) -> list[Article]:
    """Those whose figures of these days are known."""
    return [it for it in articles if None not in [it.by_day(n, metric) for n in numbers]]


def first_by_day_3(it: Known) -> list[Article]:
    """The first articles of their messages whose readers by the third day are known."""
    return with_day([article for article in it.articles.values() if article.position == 1], 3)


def usual(it: Known, position: int, part: Fraction = Fraction(1, 2)) -> Fraction | None:
    """
    The usual readers by day 3 of the articles in that place, published in the newest 90 days.

    Of those that have the most days.
    """
    newest = max(article.publication_date for article in it.articles.values() if article.rows)
    readers = [
        [article.by_day(number, READERS) for number in range(1, it.window + 1)]
        for article in it.published(newest - timedelta(89), newest)
        if article.position == position
    ]
    lacking = min(by_day.count(None) for by_day in readers)
    longest = [by_day[2] for by_day in readers if by_day.count(None) == lacking]
    return quantile([it for it in longest if it is not None], part)


def published_on(world: World, appid: str, day: date) -> int:
    """How many articles either endpoint told of."""
    its = (known(world, appid, endpoint).of_day(day) for endpoint in DATASETS.values())
    return len({it.msgid for articles in its for it in articles})


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
    def ratio(self) -> Fraction | None:
        """What the old endpoint counts of what the new one does, on days complete in both."""
        its_days = days(FIRST_DAY, YESTERDAY)
        both = [it for it in its_days if self.old.is_complete(it) and self.new.is_complete(it)]
        return share(*(total(it.gained(d, READERS) for d in both) for it in (self.old, self.new)))

    def is_old(self, day: date) -> bool:
        """While every expected article has its row there, and where it alone knows."""
        of_old, of_new = self.old.gained(day, READERS), self.new.gained(day, READERS)
        return day <= self.last_exact or (of_new is None and of_old is not None)

    def gained(self, day: date, metric: str = READERS) -> int | None:
        """As the day's endpoint counted."""
        return (self.old if self.is_old(day) else self.new).gained(day, metric)

    def is_complete(self, day: date) -> bool:
        """Of the day's endpoint."""
        return (self.old if self.is_old(day) else self.new).is_complete(day)

    def comparable(self, day: date) -> int | None:
        """The readers as the old endpoint counts, by what both counted of the same days."""
        gained = self.gained(day)
        if self.is_old(day) or gained is None:
            return gained
        return None if self.ratio is None else round(gained * self.ratio)


@cache
def company(world: World, appid: str) -> Company:
    """An account's."""
    return Company(known(world, appid), known(world, appid, SUCCESSOR))


# --------------------------------------------------------------------------------- of every day


def which_endpoint(asked: Asked) -> Rows:
    """The newest day that each endpoint told of, and whether WeChat has taken it offline."""
    return [
        (name, old.last_loaded, old.is_retired, new.last_loaded, new.is_retired)
        for appid, name in asked.by_name(asked.world.names)
        for old, new in [(known(asked.world, appid), known(asked.world, appid, SUCCESSOR))]
    ]


def newest_articles(asked: Asked) -> Rows:
    """1. The newest articles that have a row, the most read of each day first."""
    newest = [it for it in asked.known.published(november(22)) if it.rows]
    newest.sort(key=lambda it: (-it.publication_date.toordinal(), -it.latest(READERS), it.msgid))
    return [
        (
            *(it.publication_date, it.position, it.title, it.latest(READERS), it.latest(SHARERS)),
            *(age(it, max(it.rows)), it.is_final),
        )
        for it in newest[:5]
    ]


def most_read_of_the_month(asked: Asked) -> Rows:
    """2. The five articles of November that were read most."""
    articles = most_read(asked.known.published(november(1), november(30)))
    return [
        (it.title, it.publication_date, it.latest(READERS), it.latest("favourites"))
        for it in articles[:5]
    ]


def gained_each_day(asked: Asked) -> Rows:
    """3. What came on each day over all articles."""
    it = asked.company
    return [
        (
            *(day, published_on(asked.world, asked.appid, day)),
            *(it.gained(day), it.gained(day, SHARERS)),
            *("7d" if it.is_old(day) else "30d", it.is_complete(day)),
        )
        for day in LAST_WEEK
    ]


# ------------------------------------------------------------------------------------ of articles


def gained_by_one_article(asked: Asked) -> Rows:
    """4. What each day added to the most read of the articles published before 16 November."""
    articles = most_read(asked.known.published(date.min, november(15)))
    return [
        (
            *(day, age(it, day), it.days_spanned(day)),
            *(it.increments(READERS)[day], it.increments(SHARERS)[day]),
        )
        for it in articles[:1]
        for day in it.stat_dates[:7]
    ]


def reached_by_day(asked: Asked) -> Rows:
    """5. The share of their final readers that final articles had by a day, sums over sums."""
    final = [it for it in asked.articles if it.is_final]

    def by(number: int) -> Fraction | None:
        reached = with_day(final, number)
        of_day = total(it.by_day(number, READERS) for it in reached)
        return share(of_day, total(it.latest(READERS) for it in reached))

    return [(len(final), by(1), by(3), by(7))]


def took_off_late(asked: Asked) -> Rows:
    """5. The final articles with the least of their readers by the third day."""
    rows = [
        (reached, it)
        for it in with_day([it for it in asked.articles if it.is_final], 3)
        for reached in [share(it.by_day(3, READERS), it.latest(READERS))]
        if reached is not None
    ]
    return [
        (it.title, it.publication_date, it.by_day(3, READERS), it.latest(READERS), reached)
        for reached, it in sorted(rows, key=lambda row: (row[0], row[1].msgid))[:3]
    ]


def finish_rate(asked: Asked) -> Rows:
    """6. The rate of each article's newest row, weighed by the readers it is a share of."""
    rates = [(it.latest("read_finish_rate"), it.latest(READERS)) for it in asked.articles]
    weighed = [(Fraction(str(rate)), of) for rate, of in rates if None not in (rate, of)]
    sums = total(rate * of for rate, of in weighed), total(of for _, of in weighed)
    return [(len(weighed), share(*sums))]


def better_than_usual(asked: Asked) -> Rows:
    """7. Articles of 20 November against those in the same place, by the third day."""
    it = asked.known
    articles = sorted(with_day(it.of_day(november(20)), 3), key=lambda it: (it.position, it.msgid))
    rows = [
        (
            *(article.title, article.position, article.by_day(3, READERS)),
            *(usual(it, article.position), usual(it, article.position, Fraction(3, 4))),
        )
        for article in articles
    ]
    return [row for row in rows if row[3] is not None][:6]


def word_in_the_title(asked: Asked) -> Rows:
    """8. Readers of articles of 90 days by day 3 over the usual, with 医保 in the title or not."""
    it = asked.known
    against_usual = [
        ("医保" in article.title, share(article.by_day(3, READERS), its_usual))
        for article in with_day(it.published(YESTERDAY - timedelta(89)), 3)
        if (its_usual := usual(it, article.position))
    ]
    return [
        (has_word, len(group), quantile(ratio for _, ratio in group))
        for has_word, group in in_groups(against_usual, lambda it: it[0]).items()
    ]


def cohort(asked: Asked) -> Rows:
    """9. The readers by each day of the articles of 1 to 15 November that have the first seven."""
    articles = with_day(asked.known.published(november(1), november(15)), *range(1, 8))
    return [
        (number, len(articles), sum(it.by_day(number, READERS) for it in articles))
        for number in range(1, 8)
        if articles
    ]


def of_the_series(asked: Asked) -> Rows:
    """10. The articles that either endpoint first called 别再问…, with their readers."""
    first: dict[str, str] = {}
    for given in asked.world.given:
        if given.appid == asked.appid and given.endpoint in WINDOW and given.errcode == 0:
            for item in given.json["list"]:
                first.setdefault(item["msgid"], item["title"])
    articles = [it for it in asked.articles if it.rows and first[it.msgid].startswith("别再问")]
    return [(len(articles), total(it.latest(READERS) for it in articles))]


SCENES = {
    "公众号消息": ("session", "session"),
    "公众号主页": ("history", "hist_msg"),
    "朋友圈": ("feed", "feed"),
    "聊天会话": ("friends", "friends"),
    "其他": ("other", "other"),
    "推荐": ("kanyikan", "kanyikan"),
    "搜一搜": ("souyisou", "souyisou"),
}
"""By what the lists call them: the code, the part of the old metrics' names."""


def sources(asked: Asked) -> Rows:
    """11. Where readers came from by the seventh day, and each place's share of their sum."""

    def given(it: Article) -> Iterator[tuple[str, int | None]]:
        for entry in it.by_day(7, "read_user_source") or []:
            if entry["scene_desc"] != "全部":
                yield SCENES[entry["scene_desc"]][0], entry["user_count"]
        for code, part in SCENES.values():
            yield code, it.by_day(7, f"int_page_from_{part}_read_user")

    told_of = [pair for it in asked.articles for pair in given(it) if pair[1] is not None]
    by_scene = in_groups(told_of, lambda pair: pair[0]).items()
    readers = {scene: sum(count for _, count in pairs) for scene, pairs in by_scene}
    return [
        (scene, count, share(count, sum(readers.values())))
        for scene, count in sorted(readers.items(), key=lambda item: (-item[1], item[0]))
    ]


# ---------------------------------------------------------------------------- accounts and weeks


def weekly_report(asked: Asked) -> Rows:
    """12. What came in each week over all articles; the share rate is of what came."""
    return [
        (
            *(name, week, sum(published_on(asked.world, appid, day) for day in its_days)),
            *(readers, sharers, share(sharers, readers)),
            sum(it.is_complete(day) for day in its_days),
        )
        for appid, name in asked.by_name(asked.appids)
        for it in [company(asked.world, appid)]
        for week, its_days in WEEKS.items()
        for readers in [total(it.gained(day) for day in its_days)]
        for sharers in [total(it.gained(day, SHARERS) for day in its_days)]
    ]


def months(asked: Asked) -> Rows:
    """13. What came on the days of October and November on which all is known."""
    it = asked.company
    return [
        (f"2026-{month}", len(its_days), len(complete), readers, share(readers, len(complete)))
        for month, its_days in in_groups(days(FIRST_DAY, YESTERDAY), lambda day: day.month).items()
        for complete in [[day for day in its_days if it.is_complete(day)]]
        for readers in [total(it.comparable(day) for day in complete)]
    ]


def against_four_weeks_earlier(asked: Asked) -> Rows:
    """14. The readers of the days of November that are known, as are those four weeks earlier."""
    it, its_days = asked.company, days(november(1), YESTERDAY)
    pairs = [(day, day - timedelta(28)) for day in its_days]
    both = [pair for pair in pairs if all(map(it.is_complete, pair))]
    readers, before = (total(it.comparable(pair[n]) for pair in both) for n in (0, 1))
    change = share(readers, before)
    of_both = (len(both), readers, before, None if change is None else change - 1)
    return [(len(its_days), *of_both)]


def accounts_compared(asked: Asked) -> Rows:
    """15. First articles by the third day, of two accounts."""
    return [
        (
            *(name, len(articles), quantile(it.by_day(3, READERS) for it in articles)),
            share(
                total(it.by_day(3, SHARERS) for it in articles),
                total(it.by_day(3, READERS) for it in with_day(articles, 3, metric=SHARERS)),
            ),
        )
        for appid, name in asked.by_name(asked.appids)
        for articles in [first_by_day_3(known(asked.world, appid, asked.endpoint))]
        if articles
    ]


def _verdict(reads: int | None, earlier: Sequence[int], *, is_complete: bool) -> str:
    if is_complete and not reads:
        return "silent"
    if not is_complete or len(earlier) < 3:
        return "unknown"
    return "drop" if (reads or 0) * 2 < (quantile(earlier) or 0) else "ok"


def drops(asked: Asked) -> Rows:
    """16. What came on the last two days against the median of the complete ones before them."""

    def earlier(it: Company, day: date) -> list[int]:
        complete = filter(it.is_complete, days(day - timedelta(7), day - timedelta(1)))
        return [readers for readers in map(it.comparable, complete) if readers is not None]

    return [
        (
            *(name, day, it.comparable(day), len(before), quantile(before)),
            _verdict(it.comparable(day), before, is_complete=it.is_complete(day)),
        )
        for appid, name in asked.by_name(asked.world.names)
        for it in [company(asked.world, appid)]
        for day in (YESTERDAY - timedelta(1), YESTERDAY)
        for before in [earlier(it, day)]
    ]


def readers_through_a_retirement(asked: Asked) -> Rows:
    """17. The readers of all accounts by week, of a retired one by its successor's."""
    its = [company(asked.world, appid) for appid in asked.world.names]
    return [
        (
            *(week, total(it.gained(day) for it, day in found)),
            total(it.comparable(day) for it, day in found),
            sum(it.is_complete(day) for it, day in found),
            sum(not it.is_old(day) for it, day in found),
            len(found),
        )
        for week, its_days in WEEKS.items()
        for found in [[(it, day) for it in its for day in its_days]]
    ]


def best_weekday(asked: Asked) -> Rows:
    """18. The median readers by the third day of first articles, by weekday of publication."""
    articles = first_by_day_3(asked.known)
    return [
        (WEEKDAYS[weekday], len(group), quantile(it.by_day(3, READERS) for it in group))
        for weekday, group in in_groups(articles, lambda it: it.publication_date.weekday()).items()
    ]


def messages(asked: Asked) -> Rows:
    """19. The messages of November, each once, and the people each was sent to."""
    old, new = (known(asked.world, asked.appid, its).articles for its in (OLD, SUCCESSOR))
    articles = [it for it in {**old, **new}.values() if it.publication_date >= november(1)]
    counted = [new[it.msgid].latest(READERS) for it in articles if it.msgid in new]
    notified = {it.msgid.split("_")[0] for it in articles if it.publish_type == 0}
    sent_to: dict[str, int | None] = {}
    opened: dict[str, int | None] = {}
    for message, its in in_groups(articles, lambda it: it.msgid.split("_")[0]).items():
        of_old = [old[it.msgid] for it in its if it.msgid in old]
        sent_to[message] = max((it.latest("target_user") for it in of_old), default=None)
        first = [it for it in of_old if it.position == 1]
        opened[message] = total(it.latest("int_page_from_session_read_user") for it in first)
    opened_of = [it for it in sent_to if None not in (sent_to[it], opened[it])]
    return [
        (
            *(len(sent_to), len(notified), len(articles) or None),
            len([it for it in counted if it is not None]) if articles else None,
            *(total(counted), total(sent_to.values())),
            share(total(opened[it] for it in opened_of), total(sent_to[it] for it in opened_of)),
        )
    ]


# ------------------------------------------------------------------------------ of statistics days

CHANNELS = {
    **{0: "others", 1: "search", 17: "name_card", 30: "qr_code", 57: "article"},
    **{100: "advertisement", 149: "mini_program", 161: "reprint"},
    **{200: "video_account", 201: "live_stream"},
}


def told(asked: Asked, endpoint: str) -> dict[date, list[dict[str, Any]]]:
    """What the newest answer for each day lists."""
    return {
        it.publication_date: it.json["list"]
        for it in asked.world.given
        if (it.appid, it.endpoint, it.errcode) == (asked.appid, endpoint, 0)
    }


def readings(asked: Asked) -> Iterator[tuple[date, bool, dict[str, Any]]]:
    """Of each article and day on which it was read, whether it was past its window or of no day."""
    published = {
        it.msgid: it.publication_date
        for endpoint in DATASETS.values()
        for it in known(asked.world, asked.appid, endpoint).articles.values()
    }
    for day, items in told(asked, "getarticleread").items():
        for item in items:
            first = published.get(item["msgid"], date.min)
            yield day, (day - first).days >= max(WINDOW.values()), item


def old_articles(asked: Asked) -> Rows:
    """20. How much of each day's reading was of articles after their window."""
    shared = {
        day: {item["msgid"]: item["detail"].get("share_user") for item in items}
        for day, items in told(asked, "getarticleshare").items()
    }
    week = [it for it in readings(asked) if it[0] in LAST_WEEK]
    return [
        (
            *(day, total(it["detail"].get("read_user") for _, _, it in its)),
            total(it["detail"].get("read_user") for _, is_old, it in its if is_old),
            total(shared[day].get(it["msgid"], 0) for _, _, it in its if day in shared),
        )
        for day, its in in_groups(week, lambda it: it[0]).items()
    ]


def scenes_of_old_articles(asked: Asked) -> Rows:
    """20. Where readers come from, within the window and after it."""
    counted = [
        (SCENES[it["scene_desc"]][0], it["user_count"], is_old)
        for _, is_old, item in readings(asked)
        for it in item["detail"].get("read_user_source", [])
        if it["scene_desc"] != "全部"
    ]
    return [
        (scene, *(total(n for _, n, is_old in its if is_old is which) for which in (False, True)))
        for scene, its in in_groups(counted, lambda it: it[0]).items()
    ]


def stocks(asked: Asked) -> dict[date, int | None]:
    """The followers at the end of a day."""
    listed = told(asked, "getusercumulate").items()
    return {day: items[0].get("cumulate_user") for day, items in listed if items}


def people_and_followers(asked: Asked) -> Rows:
    """21. The people who read anything, as often as there are followers; of every day asked."""
    listed = told(asked, "getbizsummary").items()
    people = {day: items[0]["detail"].get("read_user") for day, items in listed if items}
    followers = stocks(asked)
    return [
        (it, people.get(it), followers.get(it), share(people.get(it), followers.get(it)))
        for it in LAST_WEEK
    ]


def followers_by_week(asked: Asked) -> Rows:
    """22. Followers won and lost by week, of the days of which that is known."""
    change, followers = told(asked, "getusersummary"), stocks(asked)
    known_days = {it for it in change if change[it] or NOW.date() >= it + timedelta(2)}

    def gained(key: str, its_days: Sequence[date]) -> int | None:
        return total(sum(it[key] for it in change[day]) for day in its_days if day in known_days)

    return [
        (
            *(week, won, lost, None if won is None or lost is None else won - lost),
            sum(day in known_days and followers.get(day) is not None for day in its_days),
        )
        for week, its_days in WEEKS.items()
        for won, lost in [[gained(it, its_days) for it in ("new_user", "cancel_user")]]
    ]


def channels(asked: Asked) -> Rows:
    """22. Followers won and lost by channel."""
    given = [item for items in told(asked, "getusersummary").values() for item in items]
    found = [
        (channel, total(it["new_user"] for it in its), total(it["cancel_user"] for it in its))
        for channel, its in in_groups(given, lambda it: CHANNELS[it["user_source"]]).items()
    ]
    return sorted(found, key=lambda row: -row[1])


# --------------------------------------------------------------- what is there, and what changed


@dataclass(frozen=True)
class Day:
    """A publication day at `NOW`: what there is of it, and how the last call ended."""

    day: date
    state: str
    last_attempt: str | bool
    lacking: int


def days_of(world: World, appid: str, dataset: str) -> list[Day]:
    """Each up to yesterday, from the first of daily runs on, and those asked for by hand."""
    it = known(world, appid, DATASETS[dataset])
    first = (MORNINGS if dataset == "article_total" else SUCCESSOR_MORNINGS)[0]
    since = first - timedelta(it.window)
    asked = it.publication_days
    return [
        Day(day, it.state(day, since), day in asked and asked[day].last_attempt, lacking)
        for day in sorted({*asked, *days(since, YESTERDAY)})
        for lacking in [it.articles_lacking(day)]
    ]


def what_we_have(asked: Asked) -> Rows:
    """23. The publication days of an account by what there is of them, and by their last call."""
    rows = [
        (dataset, *how, len(its), its[0].day, its[-1].day)
        for dataset in DATASETS
        for how, its in in_groups(
            days_of(asked.world, asked.appid, dataset), lambda it: (it.state, it.last_attempt)
        ).items()
    ]
    return sorted(rows, key=lambda row: (row[0], row[4], row[1], row[2]))


def lagging(asked: Asked) -> Rows:
    """23. The accounts without an answer for yesterday that says something, but retired ones."""
    return [
        (name, it.last_loaded)
        for appid, name in asked.by_name(asked.world.names)
        for it in [known(asked.world, appid, SUCCESSOR)]
        if not it.is_retired and it.last_loaded < YESTERDAY
    ]


def what_is_missing(asked: Asked) -> Rows:
    """23. The days that are not in, were not answered last or have articles that lack a row."""

    def is_told(it: Day) -> bool:
        is_out = it.state in ("late", "lost", "given_up") or it.last_attempt != "ok"
        return it.day >= november(1) and (is_out or bool(it.lacking))

    rows = [
        (name, appid, dataset, *how, len(its), its[0].day, its[-1].day, sum(d.lacking for d in its))
        for appid, name in asked.world.names.items()
        for dataset in DATASETS
        for how, its in in_groups(
            filter(is_told, days_of(asked.world, appid, dataset)),
            lambda it: (it.state, it.last_attempt),
        ).items()
    ]
    rows.sort(key=lambda row: (*row[:3], row[6], row[3]))
    return [(row[0], *row[2:]) for row in rows]


def corrections(asked: Asked) -> Rows:
    """24. Readers that WeChat told otherwise later, as often as it did, the first five by title."""
    rows = [
        (it.article.title, it.stat_date, metric, it.old, it.new, it.new - it.old)
        for endpoint, metric in ((OLD, "int_page_read_user"), (SUCCESSOR, "read_user"))
        for it in known(asked.world, asked.appid, endpoint).changes
        if it.metric == metric and it.old is not None
    ]
    return sorted(rows)[:5]


def week_since_its_report(asked: Asked) -> Rows:
    """24. The readers of a week as they were reported, and as they are now known to be."""
    now, then = (
        total(
            it.increments(READERS)[day]
            for it in known(asked.world, asked.appid, asked.endpoint, at=moment).articles.values()
            for day in {*it.rows} & {*WEEKS["2026-W47"]}
        )
        for moment in (NOW, REPORTED_AT)
    )
    change = None if None in (now, then) else now - then
    return [("2026-W47", then, now, change)] if now is not None else []


def export(asked: Asked) -> Rows:
    """25. The publication days of which something came or changed, with all their rows."""
    it = asked.known

    def has_come(day: date) -> bool:
        calls = it.publication_days[day].calls
        return any(call.errcode == 0 and call.given_at > EXPORTED_AT for call in calls)

    by_day = in_groups(it.published(november(17)), lambda article: article.publication_date)
    return [
        (
            *(day, sum(len(article.rows) for article in with_rows), len(with_rows)),
            total(article.figure(max(article.rows), READERS) for article in with_rows),
        )
        for day, articles in by_day.items()
        for with_rows in [[article for article in articles if article.rows]]
        if has_come(day) and with_rows
    ]


TRUTHS: dict[str, Sequence[Callable[[Asked], Rows]]] = {
    "Which endpoint does the account have?": [which_endpoint],
    **{"1": [newest_articles], "2": [most_read_of_the_month], "3": [gained_each_day]},
    **{"4": [gained_by_one_article], "5": [reached_by_day, took_off_late], "6": [finish_rate]},
    **{"7": [better_than_usual], "8": [word_in_the_title], "9": [cohort], "10": [of_the_series]},
    **{"11": [sources], "12": [weekly_report], "13": [months], "14": [against_four_weeks_earlier]},
    **{"15": [accounts_compared], "16": [drops], "17": [readers_through_a_retirement]},
    **{"18": [best_weekday], "19": [messages], "20": [old_articles, scenes_of_old_articles]},
    **{"21": [people_and_followers], "22": [followers_by_week, channels]},
    **{"23": [what_we_have, lagging, what_is_missing]},
    **{"24": [corrections, week_since_its_report], "25": [export]},
}
"""Of each question, by its number or title, in the order of its queries."""
