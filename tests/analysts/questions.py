"""
The right answers to the questions of docs/analysts.md and docs/cookbook.md that work anything out.

The others pick rows and columns of a view, each of which is the truth. An answer has the columns of
the page. Shares are exact: they are rounded as the page's query rounds. Where nothing else is said,
the account is the page's, 春风, the endpoint the successor, and now after the run of 24 November.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from world.truth import Key

from analysts import truth
from analysts.truth import DAY, YESTERDAY, Row, Table, days, quantile, share, total
from analysts.world import BUSY, PAPER, World, at, november

Rows = list[Key]
WEEKS = {
    date.fromisocalendar(2026, week, day): f"2026-W{week}"
    for week in (45, 46, 47)
    for day in range(1, 8)
}
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
EXPORTED_AT = at(november(24), 9, 0)
"""When an export began, less an hour."""
REPORTED_AT = at(november(23), 12, 0)


@dataclass(frozen=True)
class Asked:
    """Of whom a question is asked: an account, or several, and by which endpoint."""

    world: World
    appid: str = BUSY.appid
    suffix: str = "_30d"
    appids: tuple[str, ...] = (BUSY.appid, PAPER.appid)
    name: str = ""
    """What all of them are called, if the same."""

    def all(self, view: str) -> Table:
        """The rows of all accounts."""
        its = truth.view(self.world, self._name(view))
        return its.with_(account_name=lambda _: self.name) if self.name else its

    def its(self, view: str) -> Table:
        """The rows of the account."""
        return truth.view(self.world, self._name(view)).where(appid=self.appid)

    def listed(self, view: str) -> Table:
        """The rows of the accounts."""
        return self.all(view).that(lambda it: it["appid"] in self.appids)

    def _name(self, view: str) -> str:
        """That of the endpoint, where there is a view of each."""
        return view + self.suffix * (view in truth.OF_ENDPOINT)


Answer = Callable[[Asked], Rows]
ANSWERS: dict[tuple[str, int], Answer] = {}
"""By question, and which of its queries it is."""


def of(question: str, place: int = 0) -> Callable[[Answer], Answer]:
    """The answer to a query of a question."""
    return lambda its: ANSWERS.setdefault((question, place), its)


def by_week(rows: Table, column: str = "calendar_date") -> Table:
    """Those of three weeks, with their week."""
    its = rows.that(lambda it: it[column] in WEEKS)
    return its.with_(week=lambda it: WEEKS[it[column]])


def sums(rows: Table, *columns: str) -> Key:
    """The sum of each."""
    return tuple(rows.sum(column) for column in columns)


def complete(rows: Table) -> Table:
    """Those of which all is known."""
    return rows.where(is_complete=True)


def first_by_day_3(rows: Table) -> Table:
    """The first articles of their messages whose readers by the third day are known."""
    return rows.where(position=1, day_number=3).known("readers")


def against_usual(asked: Asked) -> Table:
    """The articles' third days, beside what is usual in their place."""
    usual = {it["position"]: it for it in asked.its("benchmark").where(day_number=3)}
    known = asked.its("article_day").where(day_number=3).known("readers")
    its = known.that(lambda it: it["position"] in usual)
    return its.with_(median=lambda it: usual[it["position"]]["median"])


@of("5")
def reached_by_day(asked: Asked) -> Rows:
    final = asked.its("article").where(is_final=True)
    columns = [f"readers_day_{number}" for number in (1, 3, 7)]
    return [(len(final), *(share(final.sum(it), final.known(it).sum("readers")) for it in columns))]


@of("6")
def finish_rate(asked: Asked) -> Rows:
    known = asked.its("article").known("read_finish_rate", "readers")
    finished = total(Fraction(str(it["read_finish_rate"])) * it["readers"] for it in known)
    return [(len(known), share(finished, known.sum("readers")))]


@of("8")
def word_in_the_title(asked: Asked) -> Rows:
    newest = against_usual(asked).between("publication_date", YESTERDAY - 89 * DAY)
    its = newest.that(lambda it: it["median"]).with_(
        has_word=lambda it: "医保" in it["title"], ratio=lambda it: it["readers"] / it["median"]
    )
    return [(*key, len(rows), quantile(rows.values("ratio"))) for key, rows in its.by("has_word")]


@of("9")
def cohort(asked: Asked) -> Rows:
    its = asked.its("article_day").between("publication_date", november(1), november(15))
    known = its.known("readers").that(lambda it: 1 <= it["day_number"] <= 7)
    whole = Table(row for _, rows in known.by("msgid") if len(rows) == 7 for row in rows)
    return [(*key, len(rows), rows.sum("readers")) for key, rows in whole.by("day_number")]


@of("10")
def of_a_series(asked: Asked) -> Rows:
    its = asked.its("article").that(lambda it: it["original_title"].startswith("别再问"))
    return [(len(its), its.sum("readers"))]


@of("11")
def sources(asked: Asked) -> Rows:
    known = asked.its("article_source").where(day_number=7).known("readers")
    found = [(*key, rows.sum("readers")) for key, rows in known.by("scene")]
    its = [(scene, readers, share(readers, known.sum("readers"))) for scene, readers in found]
    return sorted(its, key=lambda row: -row[1])


@of("12")
def weekly_report(asked: Asked) -> Rows:
    gained = ("readers_increment", "sharers_increment")
    its = by_week(asked.listed("account_day")).by("account_name", "appid", "week")
    return [
        (
            *(name, week, rows.sum("articles_published"), *sums(rows, *gained)),
            *(share(*sums(rows, *reversed(gained))), len(complete(rows))),
        )
        for (name, _, week), rows in its
    ]


@of("13")
def months(asked: Asked) -> Rows:
    its = asked.its("account_day").between("calendar_date", date(2026, 10, 1))
    by_month = its.with_(month=lambda it: f"{it['calendar_date']:%Y-%m}").by("month")
    readers = {key: complete(rows).sum("readers_comparable") for key, rows in by_month}
    return [
        (*key, len(rows), known, readers[key], share(readers[key], known))
        for key, rows in by_month
        for known in [len(complete(rows))]
    ]


@of("14")
def against_four_weeks_earlier(asked: Asked) -> Rows:
    by_day = {it["calendar_date"]: it for it in asked.its("account_day")}
    pairs = [Table([by_day[it], by_day[it - 28 * DAY]]) for it in days(november(1), YESTERDAY)]
    known = [pair for pair in pairs if len(complete(pair)) == 2]
    now, before = (total(pair[n]["readers_comparable"] for pair in known) for n in (0, 1))
    change = share(now, before)
    return [(len(pairs), len(known), now, before, None if change is None else change - 1)]


@of("15")
def accounts_compared(asked: Asked) -> Rows:
    its = first_by_day_3(asked.listed("article_day")).by("account_name", "appid")
    return [
        (
            *(name, len(rows), quantile(rows.values("readers"))),
            share(rows.sum("sharers"), rows.known("sharers").sum("readers")),
        )
        for (name, _), rows in its
    ]


@of("16")
def drops(asked: Asked) -> Rows:
    found = []
    for (name, _), rows in asked.all("account_day").by("account_name", "appid"):
        for row in rows.between("calendar_date", YESTERDAY - DAY):
            day, readers = row["calendar_date"], row["readers_comparable"]
            week = complete(rows).between("calendar_date", day - 7 * DAY, day - DAY)
            usual = week.known("readers_comparable").values("readers_comparable")
            verdict = _verdict(readers or 0, usual) if row["is_complete"] else "unknown"
            found.append((name, day, readers, len(usual), quantile(usual), verdict))
    return found


def _verdict(readers: int, usual: list[int]) -> str:
    if not readers:
        return "silent"
    if len(usual) < 3:
        return "unknown"
    return "drop" if readers * 2 < (quantile(usual) or 0) else "ok"


@of("17")
def readers_through_a_retirement(asked: Asked) -> Rows:
    return [
        (
            *(*key, *sums(rows, "readers_increment", "readers_comparable")),
            *(len(complete(rows)), len(rows.where(endpoint="30d")), len(rows)),
        )
        for key, rows in by_week(asked.all("account_day")).by("week")
    ]


@of("18")
def best_weekday(asked: Asked) -> Rows:
    first = first_by_day_3(asked.its("article_day"))
    its = first.with_(weekday=lambda it: it["publication_date"].weekday()).by("weekday")
    return [(WEEKDAYS[n], len(rows), quantile(rows.values("readers"))) for (n,), rows in its]


@of("19")
def messages(asked: Asked) -> Rows:
    its = asked.its("message").between("publication_date", november(1), YESTERDAY)
    opened = its.that(lambda it: it["target_user"]).sum("opened_user")
    columns = ("article_count", "article_count_30d", "readers_30d", "target_user")
    open_rate = share(opened, its.known("opened_user").sum("target_user"))
    return [(len(its), len(its.where(is_notified=True)), *sums(its, *columns), open_rate)]


def is_old(row: Row) -> bool:
    """Whether an article that was read is past its window, or of a day that nobody knows."""
    return row["day_number"] is None or row["day_number"] > 30


@of("20")
def old_articles(asked: Asked) -> Rows:
    its = asked.its("article_read").between("stat_date", november(17)).by("stat_date")
    return [
        (*key, rows.sum("readers"), rows.that(is_old).sum("readers"), rows.sum("sharers"))
        for key, rows in its
    ]


@of("20", 1)
def scenes_of_old_articles(asked: Asked) -> Rows:
    its = asked.its("day_source").with_(is_old=is_old).by("scene")
    ages = (False, True)
    return [(*key, *(rows.where(is_old=it).sum("readers") for it in ages)) for key, rows in its]


@of("22")
def followers_by_week(asked: Asked) -> Rows:
    its = by_week(asked.its("follower_total"), "stat_date").by("week")
    return [(*key, *sums(rows, "won", "lost", "net"), len(complete(rows))) for key, rows in its]


@of("24", 1)
def week_since_its_report(asked: Asked) -> Rows:
    then_told = truth.until(asked.world, REPORTED_AT)
    reported = replace(asked, world=then_told).its("article_day")
    then, now = (
        by_week(rows, "stat_date").where(week="2026-W47").sum("readers_increment")
        for rows in (reported, asked.its("article_day"))
    )
    change = None if None in (now, then) else now - then
    return [("2026-W47", then, now, change)] if now is not None else []


@of("25")
def export(asked: Asked) -> Rows:
    came = (
        asked.its("coverage").where(dataset=truth.OF_SUFFIX[asked.suffix].name).known("fetched_at")
    )
    recent = came.that(lambda it: it["fetched_at"] > EXPORTED_AT).values("day")
    its = asked.its("article_day").between("publication_date", november(17)).by("publication_date")
    return [
        (*key, len(rows), len(newest), newest.sum("readers"))
        for key, rows in its
        for newest in [rows.where(is_latest=True)]
        if key[0] in recent
    ]
