"""
What the analysts' views must show, by WeChat's answers alone: no warehouse, no code of the product.

Totals are cumulative. The newest answer wins, field by field; a value that it leaves out stays.
Each view is a table of rows with the view's columns, of all accounts.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import Any

from analysts.world import MORNINGS, NOW, SUCCESSOR_MORNINGS, Given, World

Row = dict[str, Any]
Key = tuple[Any, ...]
DAY = timedelta(1)
YESTERDAY = NOW.date() - DAY
OFFLINE, NOT_READY = 47009, 61503
CATCH_UP_DAYS = 60
WINDOW = {"_7d": 7, "_30d": 30}
ENDPOINT = {"_7d": "getarticletotal", "_30d": "getarticletotaldetail"}
DATASET = {"_7d": "article_total", "_30d": "article_total_detail"}
ROWS_KEY = {"_7d": "details", "_30d": "detail_list"}
FIRST_MORNING = {"_7d": MORNINGS[0], "_30d": SUCCESSOR_MORNINGS[0]}
COMMON = {
    "readers": {"_7d": "int_page_read_user", "_30d": "read_user"},
    "reads": {"_7d": "int_page_read_count"},
    "sharers": {"_7d": "share_user", "_30d": "share_user"},
    "shares": {"_7d": "share_count"},
    "favourites": {"_7d": "add_to_fav_user", "_30d": "collection_user"},
}
"""The names that analysts have for figures of both."""
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
CHANNELS = {
    **{0: "others", 1: "search", 17: "name_card", 30: "qr_code", 57: "article"},
    **{100: "advertisement", 149: "mini_program", 161: "reprint"},
    **{200: "video_account", 201: "live_stream"},
}


def days(first: date, last: date) -> list[date]:
    """Each day from the first to the last."""
    return [first + n * DAY for n in range((last - first).days + 1)]


def total(values: Iterable[Any]) -> Any:
    """The sum of the values that are known; None when none is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def share(part: float | None, whole: float | None) -> Fraction | None:
    """One figure over another; None when that is not known."""
    return None if part is None or not whole else Fraction(part) / Fraction(whole)


def quantile(values: Iterable[float | None], part: float = 0.5) -> Fraction | None:
    """Of those that are known, between the two next to it, as far as it is between them."""
    ordered = sorted(Fraction(value) for value in values if value is not None)
    if not ordered:
        return None
    place = Fraction(part) * (len(ordered) - 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place - int(place))


class Table(list[Row]):
    """Rows of a view; some of them, groups, columns and sums: what is not known is in no sum."""

    def that(self, fits: Callable[[Row], Any]) -> "Table":
        return Table(filter(fits, self))

    def where(self, **values: Any) -> "Table":
        return self.that(lambda it: [it[name] for name in values] == [*values.values()])

    def known(self, *columns: str) -> "Table":
        return self.that(lambda it: None not in [it[name] for name in columns])

    def between(self, column: str, first: date, last: date = date.max) -> "Table":
        return self.that(lambda it: first <= it[column] <= last)

    def with_(self, **columns: Callable[[Row], Any]) -> "Table":
        """The rows with further columns."""
        return Table({**row, **{name: of(row) for name, of in columns.items()}} for row in self)

    def by(self, *columns: str) -> list[tuple[Key, "Table"]]:
        """In groups, in their order."""
        groups: defaultdict[Key, Table] = defaultdict(Table)
        for row in self:
            groups[tuple(row[name] for name in columns)].append(row)
        return sorted(groups.items())

    def ordered(self, columns: str) -> "Table":
        names = columns.split(", ")
        return Table(sorted(self, key=lambda row: [str(row[name]) for name in names]))

    def values(self, column: str) -> list[Any]:
        return [row[column] for row in self]

    def sum(self, column: str) -> Any:
        return total(self.values(column))

    def show(self, columns: str) -> list[Key]:
        return [tuple(row[name] for name in columns.split()) for row in self]


# ------------------------------------------------------------------------------- what was told


@dataclass
class Pair:
    """What was asked and answered for a day of an account."""

    last: Given
    """The newest call."""
    listed: list[str] = field(default_factory=list)
    """The articles of the newest answer."""
    came_at: datetime | None = None
    answered_on: date = date.min
    """The day of the newest answer."""
    is_heard: bool = False
    """The newest answer says something: it lists articles, or another one of its day does."""
    is_final: bool = False
    """It is not asked for again."""


@dataclass
class Article:
    """An article of one endpoint."""

    day: date
    title: str = ""
    publish_type: int | None = None
    """0 when followers were notified; only the successor says."""
    rows: dict[date, Row] = field(default_factory=dict)
    """What it had reached by the end of a day."""


class Told:
    """What an endpoint had told by an instant."""

    def __init__(self, world: World, suffix: str, at: datetime) -> None:
        self.window, self.rows_key = WINDOW[suffix], ROWS_KEY[suffix]
        self.pairs: dict[Key, Pair] = {}
        self.articles: dict[Key, Article] = {}
        self.changes = Table()
        its = [one for one in world.given if one.endpoint == ENDPOINT[suffix]]
        heard = {(one.appid, one.given_at.date()) for one in its if one.json.get("list")}
        for one in its:
            if one.given_at <= at:
                self.pairs.setdefault((one.appid, one.publication_date), Pair(one)).last = one
                if one.errcode == 0:
                    self._take(one, is_heard=(one.appid, one.given_at.date()) in heard)

    def _take(self, given: Given, *, is_heard: bool) -> None:
        pair, listed = self.pairs[given.appid, given.publication_date], given.json["list"]
        on, window_end = given.given_at.date(), given.publication_date + self.window * DAY
        names = [item["msgid"] for item in listed]
        # by two days that list the same, the earlier at its last row or later
        is_same = pair.is_heard and is_heard and sorted(names) == sorted(pair.listed)
        is_whole = all(len(item[self.rows_key]) == self.window for item in listed)
        if is_same and window_end - DAY <= pair.answered_on < on:
            pair.is_final |= on >= window_end + (0 if is_whole else 2) * DAY
        pair.listed, pair.answered_on, pair.is_heard = names, on, is_heard
        pair.came_at = given.given_at
        for item in listed:
            key = given.appid, item["msgid"]
            article = self.articles.setdefault(key, Article(given.publication_date))
            article.title = item["title"]
            article.publish_type = item.get("publish_type", article.publish_type)
            for row in item[self.rows_key]:
                self._take_row(key, article, dict(row))

    def _take_row(self, key: Key, article: Article, row: Row) -> None:
        stat_date = date.fromisoformat(row.pop("stat_date"))
        is_new = stat_date not in article.rows
        there = article.rows.setdefault(stat_date, {})
        for metric, value in row.items():
            old = there.get(metric)
            if value not in (None, old):
                there[metric] = value
                if not is_new and not isinstance(value, list):
                    names = ("appid", "msgid", "stat_date", "metric", "old_value", "new_value")
                    said = zip(names, (*key, stat_date, metric, old, value), strict=True)
                    self.changes.append(dict(said))

    def pairs_of(self, appid: str) -> dict[date, Pair]:
        """By day."""
        return {day: it for (its, day), it in self.pairs.items() if its == appid}

    def counting(self, appid: str, day: date) -> list[tuple[date, Pair | None]]:
        """The publication days that count on a day."""
        window = days(day - (self.window - 1) * DAY, day)
        return [(its_day, self.pairs.get((appid, its_day))) for its_day in window]

    def is_known(self, its_day: date, pair: Pair | None, day: date) -> bool:
        """Whether a publication day was answered after a day, as can be relied on."""
        return (
            pair is not None
            and (pair.is_heard and pair.answered_on > day)
            and (pair.is_final or pair.answered_on < its_day + self.window * DAY)
        )

    def rows(self, appid: str, pair: Pair | None) -> list[dict[date, Row]]:
        """Those of the articles of a publication day that are still to have more."""
        listed = pair.listed if pair and not pair.is_final else []
        return [self.articles[appid, msgid].rows for msgid in listed]

    def reaches(self, appid: str, day: date) -> bool:
        """Whether each publication day that counts on it was answered with all rows of it."""
        return all(
            pair is not None
            and (pair.is_heard and pair.answered_on > day)
            and all(max(rows, default=date.min) >= day for rows in self.rows(appid, pair))
            for _, pair in self.counting(appid, day)
        )


@cache
def told(world: World, suffix: str, at: datetime = NOW) -> Told:
    """Put together once."""
    return Told(world, suffix, at)


def of(world: World, appid: str, **columns: Any) -> Row:
    """A row of an account."""
    return {"appid": appid, "account_name": world.names[appid], **columns}


@cache
def metrics(world: World, suffix: str) -> list[str]:
    """Those that an endpoint's rows have."""
    its = (article.rows.values() for article in told(world, suffix).articles.values())
    return sorted({name for rows in its for row in rows for name in row})


@cache
def published(world: World) -> dict[Key, date]:
    """The publication day of each article that either endpoint told of."""
    its = (told(world, suffix).articles.items() for suffix in WINDOW)
    return {key: article.day for articles in its for key, article in articles}


# ---------------------------------------------------------------------- views of each endpoint


@cache
def article_day(world: World, suffix: str, at: datetime = NOW) -> Table:
    """A row per article and day, with what it adds to the last known earlier total."""
    its, table = told(world, suffix, at), Table()
    for (appid, msgid), article in its.articles.items():
        window = {*days(article.day, article.day + (its.window - 1) * DAY)}
        is_final = its.pairs[appid, article.day].is_final or window <= article.rows.keys()
        about = {"msgid": msgid, "title": article.title, "publication_date": article.day}
        about |= {"position": int(msgid.split("_")[1]), "is_final": is_final}
        last, before = article.day - DAY, Counter[str]()
        for day, given in sorted(article.rows.items()):
            row = of(world, appid, stat_date=day, **about)
            row |= {"day_number": (day - article.day).days + 1, "days_spanned": (day - last).days}
            row["is_latest"] = day == max(article.rows)
            for name in metrics(world, suffix):
                value = row[name] = given.get(name)
                gained = value - before[name] if isinstance(value, int) else None
                row[f"{name}_increment"] = gained
                before[name] += gained or 0
            for name, metric in COMMON.items():
                row[name] = row.get(metric.get(suffix))
                row[f"{name}_increment"] = row.get(f"{metric.get(suffix)}_increment")
            table.append(row)
            last = day
    return table


@cache
def article(world: World, suffix: str) -> Table:
    """A row per article that has one, with the newest value of each figure."""
    first: dict[Key, str] = {}
    for given in world.given:
        for item in given.json.get("list", ()) if given.endpoint in ENDPOINT.values() else ():
            first.setdefault((given.appid, item["msgid"]), item["title"])
    its, table = told(world, suffix), Table()
    for (appid, msgid), rows in article_day(world, suffix).by("appid", "msgid"):
        row = {**rows[-1], "original_title": first[appid, msgid]}
        for name in [*metrics(world, suffix), *COMMON]:
            row[name] = next((it[name] for it in reversed(rows) if it[name] is not None), None)
        row["is_listed"] = msgid in its.pairs[appid, row["publication_date"]].listed
        for number in (1, 3, 7, 30):
            of_day = rows.where(day_number=number, is_final=True)
            row[f"readers_day_{number}"] = of_day.sum("readers")
            row[f"readers_day_{number}_share"] = share(of_day.sum("readers"), row["readers"])
        table.append(row)
    return table


@cache
def account_day_of(world: World, suffix: str) -> Table:
    """A row per account and day of one endpoint: what came over all articles."""
    its, table = told(world, suffix), Table()
    rows = dict(article_day(world, suffix).by("appid", "stat_date"))
    count = Counter((appid, day) for (appid, _), day in published(world).items())
    spanned = {
        (it["appid"], it["stat_date"] - n * DAY)
        for it in article_day(world, suffix)
        for n in range(it["days_spanned"] if it["days_spanned"] > 1 else 0)
    }
    for appid in world.names:
        since = FIRST_MORNING[suffix] - its.window * DAY
        for day in days(min([since, *its.pairs_of(appid)]), YESTERDAY):
            of_day = rows.get((appid, day), Table())
            is_complete = (appid, day) not in spanned and all(
                its.is_known(its_day, pair, day)
                and all(day in its_rows for its_rows in its.rows(appid, pair))
                for its_day, pair in its.counting(appid, day)
            )
            row = of(world, appid, calendar_date=day, is_complete=is_complete)
            row["articles_published"] = count[appid, day]
            nothing = 0 if is_complete and not of_day else None
            for name in (f"{it}_increment" for it in (*COMMON, *metrics(world, suffix))):
                came = of_day.sum(name)
                row[name] = nothing if came is None else came
            table.append(row)
    return table


@cache
def benchmark(world: World, suffix: str) -> Table:
    """A row per account, place in the message and age: of the articles that have the most days."""
    table = Table()
    for (appid,), rows in article_day(world, suffix).by("appid"):
        first = max(rows.values("publication_date")) - 89 * DAY
        known = rows.known("readers").between("publication_date", first)
        for (position,), its in known.by("position"):
            most = max(len(of_one) for _, of_one in its.by("msgid"))
            longest = (
                row for _, of_one in its.by("msgid") if len(of_one) == most for row in of_one
            )
            for (number,), of_age in Table(longest).by("day_number"):
                row = of(world, appid, position=position, day_number=number)
                row["article_count"] = len(of_age)
                parts = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
                row |= {name: quantile(of_age.values("readers"), it) for name, it in parts.items()}
                table.append(row)
    return table


OF_SOURCES = ("appid", "account_name", "msgid", "publication_date")
OF_SOURCES += ("stat_date", "day_number", "is_latest")


@cache
def article_source(world: World, suffix: str) -> Table:
    """A row per article, day and place where its readers came from."""
    table = Table()
    for row in article_day(world, suffix):
        found = by_scene(row.get("read_user_source"))
        for code, part in SCENES.values() if suffix == "_7d" else ():
            name = f"int_page_from_{part}_read"
            found.append((code, row[f"{name}_user"], row[f"{name}_count"]))
        about = {name: row[name] for name in OF_SOURCES}
        table += with_shares(about, [it for it in found if it[1:] != (None, None)])
    return table


def by_scene(entries: list[Row] | None) -> list[tuple[str, Any, Any]]:
    """The readers of a list, less their sum."""
    of_scenes = [it for it in entries or () if it["scene_desc"] != "全部"]
    return [(SCENES[it["scene_desc"]][0], it["user_count"], None) for it in of_scenes]


def with_shares(row: Row, found: list[tuple[str, Any, Any]]) -> Iterator[Row]:
    """A row for each scene, readers and reads."""
    whole = total(people for _, people, _ in found)
    for scene, people, times in found:
        its = {"scene": scene, "readers": people, "reads": times}
        yield {**row, **its, "readers_share": share(people, whole)}


# -------------------------------------------------------------------------- views of both of them


@cache
def account_day(world: World) -> Table:
    """The company's one series: each day of one endpoint, as that counted and as the old does."""
    table = Table()
    for appid in world.names:
        old, new = (
            {it["calendar_date"]: it for it in account_day_of(world, suffix).where(appid=appid)}
            for suffix in WINDOW
        )
        both = [it for it in old.keys() & new.keys() if old[it]["is_complete"]]
        both = [it for it in both if new[it]["is_complete"]]
        last_exact = max(it for it in old if told(world, "_7d").reaches(appid, it))
        for day in sorted(old.keys() | new.keys()):
            gained = [its[day]["readers_increment"] if day in its else None for its in (old, new)]
            is_old = day <= last_exact or (gained[1] is None and gained[0] is not None)
            row = {**(old if is_old else new)[day], "endpoint": "7d" if is_old else "30d"}
            for name in ("readers", "sharers", "favourites"):
                sums = (total(it[one][f"{name}_increment"] for one in both) for it in (old, new))
                came, ratio = row[f"{name}_increment"], share(*sums)
                scaled = came if is_old or came is None else ratio and round(came * ratio)
                row[f"{name}_comparable"] = scaled
            table.append(row)
    return table


@cache
def coverage(world: World) -> Table:
    """A row per dataset of totals, account and day: what there is, and how the last call ended."""
    table = Table()
    for suffix, dataset in DATASET.items():
        its, since = told(world, suffix), FIRST_MORNING[suffix] - WINDOW[suffix] * DAY
        for appid in world.names:
            pairs = its.pairs_of(appid)
            for day in sorted({*pairs, *days(since, YESTERDAY)}):
                row = of(world, appid, dataset=dataset, day=day)
                row["state"] = _state(its, pairs, day, since)
                row["articles_lacking"] = _lacking(its, appid, day)
                row["last_attempt"] = row["fetched_at"] = None
                if pair := pairs.get(day):
                    ends = {0: "ok", NOT_READY: "not_ready"}
                    row["last_attempt"] = ends.get(pair.last.errcode or 0, "failed")
                    if pair.last.errcode is None:
                        row["last_attempt"] = "failed"
                    row["fetched_at"] = pair.came_at
                table.append(row)
    return table


def _state(its: Told, pairs: dict[date, Pair], day: date, since: date) -> str:
    """The first that holds, at `NOW`; the first day of daily runs is `since`."""
    pair, today, window_end = pairs.get(day), NOW.date(), day + its.window * DAY
    answered_on = pair.answered_on if pair else date.min
    if pair and pair.is_final:
        return "final"
    if answered_on == date.min and day < max(since, today - (its.window + CATCH_UP_DAYS) * DAY):
        return "lost"
    if pair and answered_on >= window_end:
        heard_on = max((it.answered_on for it in pairs.values() if it.listed), default=date.min)
        is_silent = not pair.is_heard and window_end < today and heard_on <= answered_on
        return "silent" if is_silent else "unconfirmed"
    # what is due until noon is yesterday's
    return "in" if answered_on >= YESTERDAY else "late" if day < YESTERDAY else "open"


def _lacking(its: Told, appid: str, day: date) -> int:
    """How many articles of the newest answer lack a row that must have been computed."""
    pair = its.pairs.get((appid, day))
    if pair is None or not pair.listed:
        return 0
    computed = {*days(day, min(pair.answered_on, day + its.window * DAY) - DAY)}
    return sum(not computed <= its.articles[appid, it].rows.keys() for it in pair.listed)


@cache
def account(world: World) -> Table:
    """A row per account: the newest day that each endpoint told of, and whether it is offline."""
    table = Table()
    for appid in world.names:
        row = of(world, appid, is_active=True)
        for suffix in WINDOW:
            its = told(world, suffix).pairs_of(appid)
            loaded = [day for day, it in its.items() if it.is_heard]
            complete = account_day_of(world, suffix).where(appid=appid, is_complete=True)
            row[f"first_loaded_date{suffix}"] = min(loaded)
            row[f"last_loaded_date{suffix}"] = max(loaded)
            row[f"last_complete_date{suffix}"] = max(complete.values("calendar_date"))
            codes = {its[day].last.errcode for day in sorted(its)[-2:]}
            row[f"is_retired{suffix}"] = codes == {OFFLINE}
        table.append(row)
    return table


@cache
def message(world: World) -> Table:
    """A row per message: its articles of either endpoint, and what each counted."""
    table, messages = Table(), defaultdict[Key, list[Key]](list)
    for appid, msgid in published(world):
        messages[appid, msgid.split("_")[0]].append((appid, msgid))
    told_of = {suffix: dict(article(world, suffix).by("appid", "msgid")) for suffix in WINDOW}
    types = {key: it.publish_type for key, it in told(world, "_30d").articles.items()}
    for (appid, message_id), keys in messages.items():
        row = of(world, appid, message_id=message_id, article_count=len(keys))
        known = [types[key] == 0 for key in keys if types.get(key) is not None]
        row["is_notified"] = any(known) if known else None
        row["publication_date"] = published(world)[keys[0]]
        for suffix in WINDOW:
            its = Table(it for key in keys for it in told_of[suffix].get(key, ()))
            row |= {f"{name}{suffix}": its.sum(name) for name in ("readers", "sharers")}
            row[f"article_count{suffix}"] = len(its.known("readers"))
            row[f"is_final{suffix}"] = len(its.where(is_final=True)) == len(keys)
            if suffix == "_7d":
                row["target_user"] = max(
                    its.known("target_user").values("target_user"), default=None
                )
                row["opened_user"] = its.where(position=1).sum("int_page_from_session_read_user")
        table.append(row)
    return table


@cache
def restatement(world: World) -> Table:
    """A row per figure that had another value before, or none."""
    table = Table()
    for suffix, dataset in DATASET.items():
        for it in told(world, suffix).changes:
            old, title = (
                it["old_value"],
                told(world, suffix).articles[it["appid"], it["msgid"]].title,
            )
            row = {**of(world, **it), "dataset": dataset, "cause": "wechat", "title": title}
            row["kind"] = "late" if old is None else "correction"
            row["total_difference"] = None if old is None else it["new_value"] - old
            table.append(row)
    return table


# ----------------------------------------------------------------------------- statistics days


def newest(world: World, *endpoints: str) -> dict[Key, list[Row] | None]:
    """What the newest answer lists, by account and day asked for; None without an answer."""
    found: dict[Key, list[Row] | None] = {}
    for it in world.given:
        if it.endpoint in endpoints:
            key = it.appid, it.publication_date
            found[key] = it.json["list"] if it.errcode == 0 else found.get(key)
    return found


def _of_article(world: World, appid: str, msgid: str, day: date) -> Row:
    """What is known of an article that was read on a day; one that nobody listed has no day."""
    its_day = published(world).get((appid, msgid))
    row = of(world, appid, msgid=msgid, stat_date=day, publication_date=its_day)
    return row | {"day_number": its_day and (day - its_day).days + 1}


@cache
def article_read(world: World) -> Table:
    """A row per article and day on which it was read or shared."""
    rows: dict[Key, Row] = {}
    for endpoint, name in (("getarticleread", "readers"), ("getarticleshare", "sharers")):
        for (appid, day), listed in newest(world, endpoint).items():
            for it in listed or ():
                new = _of_article(world, appid, it["msgid"], day) | {"readers": None}
                row = rows.setdefault((appid, it["msgid"], day), new)
                row[name] = it["detail"].get({"readers": "read_user"}.get(name, "share_user"))
    shared = newest(world, "getarticleshare")
    for row in rows.values():
        is_told = shared.get((row["appid"], row["stat_date"])) is not None
        row.setdefault("sharers", 0 if is_told else None)
    return Table(rows.values())


@cache
def day_source(world: World) -> Table:
    """A row per article, day and place where that day's readers came from."""
    table = Table()
    for (appid, day), listed in newest(world, "getarticleread").items():
        for it in listed or ():
            row = _of_article(world, appid, it["msgid"], day)
            table += with_shares(row, by_scene(it["detail"].get("read_user_source")))
    return table


@cache
def account_summary(world: World) -> Table:
    """A row per account and day that was asked for."""
    table = Table()
    for (appid, day), listed in newest(world, "getbizsummary").items():
        detail = listed[0]["detail"] if listed else {}
        row = of(world, appid, stat_date=day, readers=detail.get("read_user"))
        row |= {"sharers": detail.get("share_user"), "favourites": detail.get("collection_user")}
        table.append(row)
    return table


@cache
def follower_total(world: World) -> Table:
    """A row per account and day that was asked for: followers, and those won and lost."""
    table = Table()
    stocks, changes = newest(world, "getusercumulate"), newest(world, "getusersummary")
    for appid, day in stocks.keys() | changes.keys():
        stock, change = stocks.get((appid, day)), changes.get((appid, day))
        # an empty answer may still be filled on the next day
        its = None if change == [] and NOW.date() < day + 2 * DAY else change
        sums = (
            its if its is None else [sum(it[n] for it in its) for n in ("new_user", "cancel_user")]
        )
        won, lost = sums or (None, None)
        row = of(world, appid, stat_date=day, won=won, lost=lost)
        row["net"] = None if won is None else won - lost
        row["cumulate_user"] = stock[0].get("cumulate_user") if stock else None
        row["is_complete"] = None not in (won, row["cumulate_user"])
        table.append(row)
    return table


@cache
def follower_change(world: World) -> Table:
    """A row per account, day and channel by which anybody came or went."""
    table = Table()
    for (appid, day), listed in newest(world, "getusersummary").items():
        for it in listed or ():
            row = of(world, appid, stat_date=day, channel=CHANNELS[it["user_source"]])
            table.append(row | {name: it[name] for name in ("new_user", "cancel_user")})
    return table


OF_ENDPOINT = {
    it.__name__: it for it in (article, article_day, article_source, benchmark, account_day_of)
}
OF_BOTH = {
    it.__name__: it
    for it in (
        *(account, account_day, coverage, message, restatement, article_read, day_source),
        *(account_summary, follower_total, follower_change),
    )
}


@cache
def view(world: World, name: str) -> Table:
    """What a view must show, as far as the answers say it."""
    if name in OF_BOTH:
        return OF_BOTH[name](world)
    stem, _, suffix = name.replace("account_day_", "account_day_of_").rpartition("_")
    return OF_ENDPOINT[stem](world, f"_{suffix}")


@cache
def of_account(world: World, name: str, appid: str) -> Table:
    """The rows of one account."""
    return view(world, name).where(appid=appid)
