"""
The rows that each view of the schema `analytics` must show, computed from WeChat's answers.

The input is `CollectedAnswers`: the answers that the sandbox gave, in order. The output of each
view function is a `Table` with the view's columns, of all accounts. Neither the warehouse nor the
product's SQL is used. `world/expected_tables.py` computes the tables that the views read.
Totals are cumulative over the days of an article.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

from world.expected_tables import Answer, Key, Tables, expected_tables

from analysts.world import MORNINGS, NOW, SUCCESSOR_MORNINGS, CollectedAnswers
from weixin_etl.datasets import (
    ACCOUNT_SUMMARY,
    ARTICLE_DATASETS,
    ARTICLE_READ,
    ARTICLE_SHARE,
    ARTICLE_TOTAL,
    ARTICLE_TOTAL_DETAIL,
    DATASETS,
    FOLLOWER_CHANGE,
    FOLLOWER_TOTAL,
    Dataset,
)

Row = dict[str, Any]
DAY = timedelta(1)
YESTERDAY = NOW.date() - DAY
OFFLINE, NOT_READY = 47009, 61503
OF_SUFFIX = {dataset.suffix: dataset for dataset in ARTICLE_DATASETS.values()}
FIRST_MORNING = {ARTICLE_TOTAL: MORNINGS[0], ARTICLE_TOTAL_DETAIL: SUCCESSOR_MORNINGS[0]}
SCENES = {
    "公众号消息": ("session", "session"),
    "公众号主页": ("history", "hist_msg"),
    "朋友圈": ("feed", "feed"),
    "聊天会话": ("friends", "friends"),
    "其他": ("other", "other"),
    "推荐": ("kanyikan", "kanyikan"),
    "搜一搜": ("souyisou", "souyisou"),
}
"""The view's code and the older metrics' word for a scene, by its name in WeChat's lists."""
CHANNELS = {
    **{0: "others", 1: "search", 17: "name_card", 30: "qr_code", 57: "article"},
    **{100: "advertisement", 149: "mini_program", 161: "reprint"},
    **{200: "video_account", 201: "live_stream"},
}


def days(first: date, last: date) -> list[date]:
    """Return each day from the first to the last."""
    return [first + n * DAY for n in range((last - first).days + 1)]


def total(values: Iterable[Any]) -> Any:
    """Return the sum of the known values, or None if no value is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def share(part: float | None, whole: float | None) -> Fraction | None:
    """Return the part divided by the whole, or None if either is unknown or the whole is 0."""
    return None if part is None or not whole else Fraction(part) / Fraction(whole)


def quantile(values: Iterable[float | None], part: float = 0.5) -> Fraction | None:
    """Return the quantile of the known values, interpolated as `percentile_cont` does."""
    ordered = sorted(Fraction(value) for value in values if value is not None)
    if not ordered:
        return None
    place = Fraction(part) * (len(ordered) - 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return below + (above - below) * (place - int(place))


class Table(list[Row]):
    """
    Rows of a view, with methods that filter, group and sum them.

    Sums leave unknown figures out.
    """

    def filter(self, fits: Callable[[Row], Any]) -> "Table":
        """Return the rows for which the function is true."""
        return Table(filter(fits, self))

    def where(self, **values: Any) -> "Table":
        """Return the rows that have these values."""
        return self.filter(lambda row: [row[name] for name in values] == [*values.values()])

    def known(self, *columns: str) -> "Table":
        """Return the rows in which all the columns are known."""
        return self.filter(lambda row: None not in [row[name] for name in columns])

    def between(self, column: str, first: date, last: date = date.max) -> "Table":
        """Return the rows whose value lies between the first and the last, both included."""
        return self.filter(lambda row: first <= row[column] <= last)

    def with_(self, **columns: Callable[[Row], Any]) -> "Table":
        """Return the rows with further columns, each computed from its row."""
        return Table({**row, **{name: of(row) for name, of in columns.items()}} for row in self)

    def by(self, *columns: str) -> list[tuple[Key, "Table"]]:
        """Return the rows grouped by the columns, ordered by the key of the group."""
        groups: defaultdict[Key, Table] = defaultdict(Table)
        for row in self:
            groups[tuple(row[name] for name in columns)].append(row)
        return sorted(groups.items())

    def ordered(self, columns: str) -> "Table":
        """Return the rows ordered by the columns, which are separated by commas."""
        names = columns.split(", ")
        return Table(sorted(self, key=lambda row: [str(row[name]) for name in names]))

    def values(self, column: str) -> list[Any]:
        """Return the column's value in each row."""
        return [row[column] for row in self]

    def sum(self, column: str) -> Any:
        """Return the sum of the column's known values."""
        return total(self.values(column))

    def show(self, columns: str) -> list[Key]:
        """Return the columns of each row as a tuple."""
        return [tuple(row[name] for name in columns.split()) for row in self]


# ----------------------------------------------------------------------------- the answers


@cache
def until(collected: CollectedAnswers, instant: datetime) -> CollectedAnswers:
    """Return the answers that were fetched up to the instant."""
    return replace(
        collected, answers=[answer for answer in collected.answers if answer.at <= instant]
    )


@cache
def tables(collected: CollectedAnswers) -> Tables:
    """Return what the warehouse's tables hold after all answers."""
    return expected_tables([[answer] for answer in collected.answers])


@cache
def rows_of(collected: CollectedAnswers, dataset: Dataset) -> Table:
    """Return an endpoint's rows: account, item, day and figures; a figure left out is None."""
    none = dict.fromkeys(metric.name for metric in dataset.metrics)
    names = ("appid", "item", "stat_date")
    return Table(
        {**dict(zip(names, (appid, item, stat_date), strict=True)), **none, **figures}
        for (name, appid, item, _, stat_date), figures in tables(collected).facts.items()
        if name == dataset.name
    )


@dataclass
class SliceRecord:
    """The calls and answers of one account and day."""

    last: Answer | None = None
    """The newest call."""
    listed: set[str] = field(default_factory=set)
    """The articles that the newest answer lists."""
    answered_at: datetime | None = None
    is_reliable: bool = False
    """
    The newest answer can be relied on.

    The same morning's answers for the account list an article, so the endpoint works.
    """
    is_final: bool = False
    """The day is final: it is not asked for again."""
    is_repeated: bool = False
    """An answer of an earlier day listed the same articles, and every answer since did."""
    totals: dict[Key, dict[str, int]] = field(default_factory=dict)
    """The newest value of each total that may not fall, by article and stat_date."""

    @property
    def answered_on(self) -> date:
        """The date of the newest answer."""
        return self.answered_at.date() if self.answered_at else date.min

    def take(self, answer: Answer, *, is_reliable: bool) -> None:
        """
        Record an answer, and decide whether the day becomes final.

        Two answers of different dates make the day final. Both were fetched at the end of its
        window or later and list the same articles; the later one has no new row, and no total in it
        fell.
        """
        on, window_end = answer.at.date(), answer.day + answer.dataset.window * DAY
        is_same = self.is_reliable and is_reliable and answer.names == self.listed
        rows = Counter(name for name, _, _ in answer.rows)
        is_whole = all(rows[name] == answer.dataset.window for name in answer.names)
        has_news = self.has_news(answer)
        if is_same and window_end <= self.answered_on < on and not has_news:
            self.is_final |= on >= window_end + (0 if is_whole else 2) * DAY
        self.is_repeated = is_same and (self.is_repeated or self.answered_on < on)
        self.listed, self.is_reliable, self.answered_at = answer.names, is_reliable, answer.at

    def has_news(self, answer: Answer) -> bool:
        """Record the rows of an answer. Return whether a row is new or a total fell."""
        given = {
            (name, stat_date): {
                metric: row[metric]
                for metric in answer.dataset.monotonic
                if isinstance(row.get(metric), int)
            }
            for name, stat_date, row in answer.rows
        }
        known = {key: self.totals.get(key, {}) for key in given}
        is_new = bool(given.keys() - self.totals.keys())
        fell = any(is_lower(totals, known[key]) for key, totals in given.items())
        changed = {key for key, totals in given.items() if totals.items() - known[key].items()}
        for (earlier, before), (later, now) in pairwise(sorted(given.items())):
            is_same = earlier[0] == later[0]
            fell |= is_same and is_lower(now, before) and bool({earlier, later} & changed)
        self.totals |= {key: known[key] | totals for key, totals in given.items()}
        return is_new or fell


def is_lower(totals: dict[str, int], before: dict[str, int]) -> bool:
    """Return whether a total is lower than it was before."""
    return any(total < before.get(metric, total) for metric, total in totals.items())


class Endpoint:
    """The answers of one endpoint of publication days, by account and day."""

    def __init__(self, collected: CollectedAnswers, dataset: Dataset) -> None:
        self.window = dataset.window
        self.slices: dict[Key, SliceRecord] = {}
        self.days_of = defaultdict[Key, set[date]](set)
        """The days of which an article has a row, by account and article."""
        answers = [answer for answer in collected.answers if answer.dataset is dataset]
        working = {(answer.appid, answer.at.date()) for answer in answers if answer.items}
        for answer in answers:
            record = self.slices.setdefault((answer.appid, answer.day), SliceRecord())
            record.last = answer
            if answer.errcode == 0:
                record.take(answer, is_reliable=(answer.appid, answer.at.date()) in working)
        for row in rows_of(collected, dataset):
            self.days_of[row["appid"], row["item"]].add(row["stat_date"])

    def slices_of(self, appid: str) -> dict[date, SliceRecord]:
        """Return the account's days, by date."""
        return {
            day: record
            for (slice_appid, day), record in self.slices.items()
            if slice_appid == appid
        }

    def counting(self, appid: str, day: date) -> list[tuple[date, SliceRecord]]:
        """Return the publication days whose articles have a row of the day."""
        window = days(day - (self.window - 1) * DAY, day)
        return [
            (publication_day, self.slices.get((appid, publication_day), SliceRecord()))
            for publication_day in window
        ]

    def is_known(self, publication_day: date, record: SliceRecord, day: date) -> bool:
        """Return whether the publication day has a reliable answer fetched after the day."""
        is_early = record.answered_on < publication_day + self.window * DAY
        is_relied_on = record.is_final or is_early or record.is_repeated
        return record.is_reliable and record.answered_on > day and is_relied_on

    def growing(self, appid: str, record: SliceRecord) -> list[set[date]]:
        """Return the days of each article that may still get rows."""
        listed = () if record.is_final else record.listed
        return [self.days_of[appid, msgid] for msgid in listed]

    def lacking(self, appid: str, day: date, record: SliceRecord) -> int:
        """Return how many listed articles lack a row that WeChat must have computed."""
        if not record.listed:
            return 0
        computed = {*days(day, min(record.answered_on, day + self.window * DAY) - DAY)}
        return sum(not computed <= self.days_of[appid, msgid] for msgid in record.listed)

    def reaches(self, appid: str, day: date) -> bool:
        """Return whether all publication days that count are answered with their row of the day."""
        return all(
            (record.is_reliable and record.answered_on > day)
            and all(
                max(stat_dates, default=date.min) >= day
                for stat_dates in self.growing(appid, record)
            )
            for _, record in self.counting(appid, day)
        )


@cache
def endpoint_of(collected: CollectedAnswers, dataset: Dataset) -> Endpoint:
    """Return the answers of one endpoint; the result is cached."""
    return Endpoint(collected, dataset)


def row_of_account(collected: CollectedAnswers, appid: str, **columns: Any) -> Row:
    """Return a row of an account."""
    return {"appid": appid, "account_name": collected.names[appid], **columns}


@cache
def published(collected: CollectedAnswers) -> dict[Key, date]:
    """Return the publication day of each article that either endpoint listed."""
    return {key: article["day"] for key, article in tables(collected).articles.items()}


# ---------------------------------------------------------------------- views of each endpoint


@cache
def article_day(collected: CollectedAnswers, dataset: Dataset) -> Table:
    """Return a row per article and day, with the increase over the last known earlier total."""
    endpoint, table = endpoint_of(collected, dataset), Table()
    for (appid, msgid), rows in rows_of(collected, dataset).by("appid", "item"):
        known = tables(collected).articles[appid, msgid]
        first, stat_dates = known["day"], endpoint.days_of[appid, msgid]
        is_final = endpoint.slices[appid, first].is_final
        about = {"msgid": msgid, "title": known["title"], "publication_date": first}
        about |= {"position": int(msgid.split("_")[1]), "is_final": is_final}
        about |= {"message_id": msgid.split("_")[0], "is_notified": is_notified(known)}
        last, before = first - DAY, Counter[str]()
        for given in rows.ordered("stat_date"):
            day = given["stat_date"]
            row = {
                **given,
                **row_of_account(collected, appid, **about, is_latest=day == max(stat_dates)),
            }
            row |= {"day_number": (day - first).days + 1, "days_spanned": (day - last).days}
            for metric in dataset.figures:
                value, before_it = row[metric.name], before[metric.name]
                row[f"{metric.name}_increment"] = None if value is None else value - before_it
                before[metric.name] = before_it if value is None else value
            for common in dataset.common:
                row[common.name] = common.metric and row[common.metric.name]
                increment = common.metric and row[f"{common.metric.name}_increment"]
                row[f"{common.name}_increment"] = increment
            table.append(row)
            last = day
    return table


def is_notified(known: Row) -> bool | None:
    """Return whether followers were notified of the article, or None if no answer says so."""
    publish_type = known.get("publish_type")
    return None if publish_type is None else publish_type == 0


@cache
def article(collected: CollectedAnswers, dataset: Dataset) -> Table:
    """Return a row per article that has figures, with the newest value of each figure."""
    endpoint, table, first = endpoint_of(collected, dataset), Table(), dict[Key, str]()
    for answer in collected.answers:
        for item in answer.items if answer.dataset.describes_articles else ():
            first.setdefault((answer.appid, item["msgid"]), item["title"])
    for (appid, msgid), rows in article_day(collected, dataset).by("appid", "msgid"):
        row = {**rows[-1], "original_title": first[appid, msgid]}
        for metric in (*dataset.metrics, *dataset.common):
            known = rows.known(metric.name).values(metric.name)
            row[metric.name] = known[-1] if known else None
        row["is_listed"] = msgid in endpoint.slices[appid, row["publication_date"]].listed
        numbers = [number for number in (1, 3, 7, 30) if number <= dataset.window]
        of_days = [
            rows.where(day_number=number, is_final=True).sum("readers") for number in numbers
        ]
        for number, readers in zip(numbers, of_days, strict=True):
            shown = None if None in of_days else readers
            row[f"readers_day_{number}"] = shown
            row[f"readers_day_{number}_share"] = share(shown, row["readers"])
        table.append(row)
    return table


@cache
def unseen(collected: CollectedAnswers) -> set[tuple[str, date]]:
    """Return accounts and publication days of notified articles that only the successor listed."""
    newer = endpoint_of(collected, ARTICLE_TOTAL_DETAIL)
    listed = {
        (appid, msgid) for (appid, _), record in newer.slices.items() for msgid in record.listed
    }
    for answer in collected.answers:
        if answer.dataset is ARTICLE_TOTAL:
            listed -= {(answer.appid, item["msgid"]) for item in answer.items}
    articles = tables(collected).articles
    return {
        (key[0], articles[key]["day"]) for key in listed if is_notified(articles[key]) is not False
    }


def lists_all(collected: CollectedAnswers, dataset: Dataset, appid: str, day: date) -> bool:
    """Return whether getarticletotal listed all articles that count on the day, if it is that."""
    if dataset is not ARTICLE_TOTAL:
        return True
    window = endpoint_of(collected, dataset).counting(appid, day)
    return all((appid, published_on) not in unseen(collected) for published_on, _ in window)


@cache
def account_day_of(collected: CollectedAnswers, dataset: Dataset) -> Table:
    """Return a row per account and day of one endpoint: the increase over all articles."""
    endpoint, table = endpoint_of(collected, dataset), Table()
    rows = dict(article_day(collected, dataset).by("appid", "stat_date"))
    count = Counter((appid, day) for (appid, _), day in published(collected).items())
    spanned = {
        (row["appid"], row["stat_date"] - n * DAY)
        for row in article_day(collected, dataset)
        for n in range(row["days_spanned"] if row["days_spanned"] > 1 else 0)
    }
    for appid in collected.names:
        since = FIRST_MORNING[dataset] - endpoint.window * DAY
        for day in days(min([since, *endpoint.slices_of(appid)]), YESTERDAY):
            of_day = rows.get((appid, day), Table())
            is_complete = (appid, day) not in spanned and lists_all(collected, dataset, appid, day)
            is_complete = is_complete and all(
                endpoint.is_known(publication_day, record, day)
                and all(
                    day in days_of_article for days_of_article in endpoint.growing(appid, record)
                )
                for publication_day, record in endpoint.counting(appid, day)
            )
            row = row_of_account(collected, appid, calendar_date=day, is_complete=is_complete)
            row["articles_published"] = count[appid, day]
            nothing = 0 if is_complete and not of_day else None
            for name in (
                f"{metric.name}_increment" for metric in (*dataset.figures, *dataset.common)
            ):
                gained = of_day.sum(name)
                row[name] = nothing if gained is None else gained
            table.append(row)
    return table


@cache
def benchmark(collected: CollectedAnswers, dataset: Dataset) -> Table:
    """
    Return a row per account, position and age.

    The articles with the most days of figures are compared.
    """
    table = Table()
    for (appid,), rows in article_day(collected, dataset).by("appid"):
        first = max(rows.values("publication_date")) - 89 * DAY
        known = rows.known("readers").between("publication_date", first)
        known = known.filter(lambda row: row["is_notified"] is not False)
        for (position,), of_position in known.by("position"):
            articles = [days_of_article for _, days_of_article in of_position.by("msgid")]
            most = max(map(len, articles))
            longest = Table(
                row
                for days_of_article in articles
                if len(days_of_article) == most
                for row in days_of_article
            )
            for (number,), of_age in longest.by("day_number"):
                row = row_of_account(collected, appid, position=position, day_number=number)
                row["article_count"] = len(of_age)
                parts = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
                row |= {
                    name: quantile(of_age.values("readers"), part) for name, part in parts.items()
                }
                table.append(row)
    return table


OF_SOURCES = ("appid", "account_name", "msgid", "publication_date")
OF_SOURCES += ("stat_date", "day_number", "is_latest")


@cache
def article_source(collected: CollectedAnswers, dataset: Dataset) -> Table:
    """Return a row per article, day and source of its readers."""
    table = Table()
    for row in article_day(collected, dataset):
        found = by_scene(row.get("read_user_source"))
        for code, part in SCENES.values() if dataset is ARTICLE_TOTAL else ():
            name = f"int_page_from_{part}_read"
            found.append((code, row[f"{name}_user"], row[f"{name}_count"]))
        about = {name: row[name] for name in OF_SOURCES}
        table += with_shares(about, [source for source in found if source[1:] != (None, None)])
    return table


def by_scene(entries: list[Row] | None) -> list[tuple[str, Any, Any]]:
    """Return the scene and the readers of each entry of a list, without the list's own sum."""
    of_scenes = [entry for entry in entries or () if entry["scene_desc"] != "全部"]
    return [(SCENES[entry["scene_desc"]][0], entry["user_count"], None) for entry in of_scenes]


def with_shares(row: Row, found: list[tuple[str, Any, Any]]) -> Iterator[Row]:
    """Yield a row for each scene, with its readers, its reads and its share."""
    whole = total(people for _, people, _ in found)
    for scene, people, times in found:
        counts = {"scene": scene, "readers": people, "reads": times}
        yield {**row, **counts, "readers_share": share(people, whole)}


# -------------------------------------------------------------------------- views of both of them


@cache
def account_day(collected: CollectedAnswers) -> Table:
    """
    Return the series over both endpoints: a row per account and day, as counted and comparable.

    A day comes from one endpoint. The comparable columns scale the successor's figures to the older
    endpoint's, if the account has days that are complete in both.
    """
    table = Table()
    for appid in collected.names:
        old, new = (
            {
                row["calendar_date"]: row
                for row in account_day_of(collected, dataset).where(appid=appid)
            }
            for dataset in (ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL)
        )
        exact = {
            day
            for day in old
            if endpoint_of(collected, ARTICLE_TOTAL).reaches(appid, day)
            and lists_all(collected, ARTICLE_TOTAL, appid, day)
        }
        both = [day for day in old.keys() & new.keys() if old[day]["is_complete"]]
        both = [day for day in both if new[day]["is_complete"]]
        for day in sorted(old.keys() | new.keys()):
            is_old = is_of_older_endpoint(old.get(day), new.get(day), day, exact)
            row = {**(old if is_old else new)[day], "endpoint": "7d" if is_old else "30d"}
            for name in ("readers", "sharers", "favourites"):
                column = f"{name}_increment"
                sums = (total(series[day][column] for day in both) for series in (old, new))
                increment, ratio = row[column], share(*sums)
                is_kept = is_old or increment is None or ratio is None
                row[f"{name}_comparable"] = increment if is_kept else round(increment * ratio)
            row["counting"] = "getarticletotal" if is_old else "estimated" if both else "successor"
            table.append(row)
    return table


def is_of_older_endpoint(
    old: Row | None, new: Row | None, day: date, exact: Collection[date]
) -> bool:
    """
    Return whether the series takes an account's day from getarticletotal.

    Args:
        old: the day by getarticletotal; None outside its series.
        new: the day by its successor; None outside its series.
        day: the day.
        exact: the account's days on which getarticletotal has a row of every expected article.
    """
    if not (old and new) or day in exact or old["is_complete"]:
        return old is not None
    if new["is_complete"]:
        return False
    is_only_figure = new["readers_increment"] is None and old["readers_increment"] is not None
    return is_only_figure or day <= max(exact, default=date.min)


@cache
def article_over_both(collected: CollectedAnswers) -> Table:
    """Return a row per article, by the endpoint whose figures it has."""
    return _over_both(collected, article)


@cache
def article_day_over_both(collected: CollectedAnswers) -> Table:
    """Return a row per article and day, all of an article by the same endpoint."""
    return _over_both(collected, article_day)


def _over_both(
    collected: CollectedAnswers, of_endpoint: Callable[[CollectedAnswers, Dataset], Table]
) -> Table:
    """
    Return the rows of one endpoint for each article.

    Where getarticletotal was retired within the article's window, this is the successor.
    """
    old, new = (of_endpoint(collected, OF_SUFFIX[suffix]) for suffix in ("_7d", "_30d"))
    retired = {row["appid"] for row in account(collected) if row["is_retired_7d"]}
    listed = {(row["appid"], row["msgid"]) for row in new}
    last = {key: max(of_key.values("day_number")) for key, of_key in old.by("appid", "msgid")}
    of_old = {
        key
        for key in last
        if key[0] not in retired or last[key] >= ARTICLE_TOTAL.window or key not in listed
    }
    rows = [*(("7d", row) for row in old), *(("30d", row) for row in new)]
    return Table(
        {**row, "endpoint": endpoint}
        for endpoint, row in rows
        if ((row["appid"], row["msgid"]) in of_old) == (endpoint == "7d")
    )


@cache
def coverage(collected: CollectedAnswers) -> Table:
    """
    Return a row per dataset of totals, account and day: missing articles and the last call's end.

    A day's state is compared elsewhere: `run/test_calendars.py` and `test_states.py`.
    """
    table = Table()
    for dataset in ARTICLE_DATASETS.values():
        endpoint, since = (
            endpoint_of(collected, dataset),
            FIRST_MORNING[dataset] - dataset.window * DAY,
        )
        for appid in collected.names:
            slices = endpoint.slices_of(appid)
            for day in sorted({*slices, *days(since, YESTERDAY)}):
                record, ends = slices.get(day, SliceRecord()), {0: "ok", NOT_READY: "not_ready"}
                row = row_of_account(
                    collected, appid, dataset=dataset.name, day=day, fetched_at=record.answered_at
                )
                row["articles_lacking"] = endpoint.lacking(appid, day, record)
                row["last_attempt"] = record.last and ends.get(record.last.errcode, "failed")
                table.append(row)
    return table


@cache
def account(collected: CollectedAnswers) -> Table:
    """
    Return a row per account:

    each endpoint's newest days, and whether the endpoint is offline.
    """
    table = Table()
    for appid in collected.names:
        row = row_of_account(collected, appid, is_active=True)
        for suffix, dataset in OF_SUFFIX.items():
            slices = endpoint_of(collected, dataset).slices_of(appid)
            loaded = [day for day, record in slices.items() if record.is_reliable]
            complete = account_day_of(collected, dataset).where(appid=appid, is_complete=True)
            row[f"first_loaded_date{suffix}"] = min(loaded)
            row[f"last_loaded_date{suffix}"] = max(loaded)
            row[f"last_complete_date{suffix}"] = max(complete.values("calendar_date"))
            codes = {slices[day].last.errcode for day in sorted(slices)[-2:]}
            row[f"is_retired{suffix}"] = codes == {OFFLINE}
        table.append(row)
    return table


@cache
def message(collected: CollectedAnswers) -> Table:
    """Return a row per message: its articles at either endpoint, and their figures."""
    table, messages = Table(), defaultdict[Key, list[Key]](list)
    for appid, msgid in published(collected):
        messages[appid, msgid.split("_")[0]].append((appid, msgid))
    for (appid, message_id), keys in messages.items():
        row = row_of_account(collected, appid, message_id=message_id, article_count=len(keys))
        types = [tables(collected).articles[key].get("publish_type") for key in keys]
        row["is_notified"] = None if types == [None] * len(keys) else 0 in types
        row["publication_date"] = published(collected)[keys[0]]
        for suffix, dataset in OF_SUFFIX.items():
            articles = article(collected, dataset).filter(
                lambda row, keys=keys: (row["appid"], row["msgid"]) in keys
            )
            row |= {f"{name}{suffix}": articles.sum(name) for name in ("readers", "sharers")}
            row[f"article_count{suffix}"] = len(articles.known("readers"))
            row[f"is_final{suffix}"] = len(articles.where(is_final=True)) == len(keys)
            if dataset is ARTICLE_TOTAL:
                sent = articles.known("target_user").values("target_user")
                row["target_user"] = max(sent, default=None)
                row["target_user_articles"] = len(keys) if sent else 0
                row["opened_user"] = articles.where(position=1).sum(
                    "int_page_from_session_read_user"
                )
        table.append(row)
    return table


@cache
def restatement(collected: CollectedAnswers) -> Table:
    """Return a row per figure whose value changed or appeared later."""
    table, held = Table(), tables(collected)
    for (name, appid, msgid, _, stat_date), figures in held.facts.items():
        versions = [*held.history.get((name, appid, msgid, stat_date), ()), figures]
        dataset = DATASETS[name]
        for before, after in pairwise(versions if dataset.describes_articles else ()):
            for metric in dataset.figures:
                old, new = before.get(metric.name), after.get(metric.name)
                row = row_of_account(
                    collected, appid, dataset=name, msgid=msgid, stat_date=stat_date
                )
                row |= {
                    "metric": metric.name,
                    "old_value": old,
                    "new_value": new,
                    "cause": "wechat",
                }
                row |= {"title": held.articles[appid, msgid]["title"]}
                row["kind"] = "late" if old is None else "correction"
                table += [row] * (old != new)
    return table


# ----------------------------------------------------------------------------- statistics days


def asked(collected: CollectedAnswers, *datasets: Dataset) -> list[Key]:
    """Return each account and day that one of the datasets was asked for."""
    answers = (answer for answer in collected.answers if answer.dataset in datasets)
    return [*dict.fromkeys((answer.appid, answer.day) for answer in answers)]


def answered(collected: CollectedAnswers, dataset: Dataset) -> set[Key]:
    """Return each account and day that the dataset has an answer for."""
    answers = (
        answer for answer in collected.answers if answer.dataset is dataset and answer.errcode == 0
    )
    return {(answer.appid, answer.day) for answer in answers}


def _of_article(collected: CollectedAnswers, given: Row) -> Row:
    """
    Return the columns that describe an article read on a day.

    An article that no answer listed has no publication day.
    """
    appid, msgid, day = given["appid"], given["item"], given["stat_date"]
    publication_day = published(collected).get((appid, msgid))
    row = row_of_account(
        collected, appid, msgid=msgid, stat_date=day, publication_date=publication_day
    )
    return row | {"day_number": publication_day and (day - publication_day).days + 1}


@cache
def article_read(collected: CollectedAnswers) -> Table:
    """Return a row per article and day on which it was read or shared."""
    rows: dict[Key, Row] = {}
    days_with_shares = answered(collected, ARTICLE_SHARE)
    for dataset, name in ((ARTICLE_READ, "readers"), (ARTICLE_SHARE, "sharers")):
        for given in rows_of(collected, dataset):
            of_day = given["appid"], given["stat_date"]
            new = {"readers": None, "sharers": 0 if of_day in days_with_shares else None}
            row = rows.setdefault((*of_day, given["item"]), _of_article(collected, given) | new)
            row[name] = given["read_user" if dataset is ARTICLE_READ else "share_user"]
    return Table(rows.values())


@cache
def day_source(collected: CollectedAnswers) -> Table:
    """Return a row per article, day and source of that day's readers."""
    table = Table()
    for given in rows_of(collected, ARTICLE_READ):
        table += with_shares(_of_article(collected, given), by_scene(given["read_user_source"]))
    return table


@cache
def account_summary(collected: CollectedAnswers) -> Table:
    """Return a row per account and day that was asked for."""
    table, rows = Table(), dict(rows_of(collected, ACCOUNT_SUMMARY).by("appid", "stat_date"))
    for appid, day in asked(collected, ACCOUNT_SUMMARY):
        of_day = rows.get((appid, day), Table())
        row = row_of_account(collected, appid, stat_date=day, readers=of_day.sum("read_user"))
        row |= {"sharers": of_day.sum("share_user"), "favourites": of_day.sum("collection_user")}
        table.append(row)
    return table


@cache
def follower_total(collected: CollectedAnswers) -> Table:
    """Return a row per account and day that was asked for: followers, won and lost."""
    table, days_with_changes = Table(), answered(collected, FOLLOWER_CHANGE)
    stocks, changes = (
        dict(rows_of(collected, dataset).by("appid", "stat_date"))
        for dataset in (FOLLOWER_TOTAL, FOLLOWER_CHANGE)
    )
    for appid, day in asked(collected, FOLLOWER_TOTAL, FOLLOWER_CHANGE):
        change, stock = (by_day.get((appid, day), Table()) for by_day in (changes, stocks))
        # an empty answer may still be filled on the next day
        is_answered = change or ((appid, day) in days_with_changes and NOW.date() >= day + 2 * DAY)
        won, lost = (
            change.sum(metric) or 0 if is_answered else None
            for metric in ("new_user", "cancel_user")
        )
        row = row_of_account(collected, appid, stat_date=day, won=won, lost=lost)
        row["net"] = None if won is None else won - lost
        row["cumulate_user"] = stock.sum("cumulate_user")
        row["is_complete"] = None not in (won, row["cumulate_user"])
        table.append(row)
    return table


@cache
def follower_change(collected: CollectedAnswers) -> Table:
    """Return a row per account, day and channel through which followers came or went."""
    return rows_of(collected, FOLLOWER_CHANGE).with_(
        account_name=lambda row: collected.names[row["appid"]],
        channel=lambda row: CHANNELS[row["item"]],
    )


OF_ENDPOINT = {
    view.__name__: view
    for view in (article, article_day, article_source, benchmark, account_day_of)
}
OF_BOTH = {
    view.__name__: view
    for view in (
        *(account, account_day, coverage, message, restatement, article_read, day_source),
        *(account_summary, follower_total, follower_change),
    )
} | {"article": article_over_both, "article_day": article_day_over_both}


@cache
def view(collected: CollectedAnswers, name: str) -> Table:
    """Return the rows that a view must show, in the columns that follow from the answers."""
    if name in OF_BOTH:
        return OF_BOTH[name](collected)
    stem, _, suffix = name.replace("account_day_", "account_day_of_").rpartition("_")
    return OF_ENDPOINT[stem](collected, OF_SUFFIX[f"_{suffix}"])
