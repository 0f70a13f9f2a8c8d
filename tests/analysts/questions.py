"""
The expected answers to the questions of docs/analysts.md and docs/cookbook.md.

Each function computes the answer to one query from the expected rows of the views
(`expected_views.py`), without SQL. `test_pages.py` compares the answers with what Postgres returns.
Queries that only pick rows and columns of a view have no function here: the views themselves are
compared.

An answer has the columns of the page's query, in their order. Shares are exact fractions; the test
rounds them as the query does. Unless a function says otherwise, the account is the page's account,
春风, the endpoint is the successor (`article_total_detail`), and the time is after the run of 24
November.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from world.expected_tables import Key

from analysts import expected_views
from analysts.expected_views import DAY, YESTERDAY, Row, Table, days, quantile, share, total
from analysts.world import BUSY, PAPER, CollectedAnswers, at, november

Rows = list[Key]
WEEKS = {
    date.fromisocalendar(2026, week, day): f"2026-W{week}"
    for week in (45, 46, 47)
    for day in range(1, 8)
}
WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
EXPORTED_AT = at(november(24), 9, 0)
"""The start of an export, less an hour."""
REPORTED_AT = at(november(23), 12, 0)


@dataclass(frozen=True)
class Asked:
    """The accounts and the endpoint that a question is asked about."""

    collected: CollectedAnswers
    appid: str = BUSY.appid
    suffix: str = "_30d"
    appids: tuple[str, ...] = (BUSY.appid, PAPER.appid)
    name: str = ""
    """The name that all accounts have, if they share one."""

    def of_all_accounts(self, view: str) -> Table:
        """Return the view's rows of all accounts."""
        rows = expected_views.view(self.collected, self._name(view))
        if not self.name:
            return rows
        return rows.with_(account_name=lambda row: f"{self.name} ({row['appid']})")

    def of_account(self, view: str) -> Table:
        """Return the view's rows of the account."""
        return expected_views.view(self.collected, self._name(view)).where(appid=self.appid)

    def of_listed_accounts(self, view: str) -> Table:
        """Return the view's rows of the accounts in `appids`."""
        return self.of_all_accounts(view).filter(lambda row: row["appid"] in self.appids)

    def _name(self, view: str) -> str:
        """Return the view's name, with the endpoint's suffix if each endpoint has such a view."""
        return view + self.suffix * (view in expected_views.OF_ENDPOINT)


Answer = Callable[[Asked], Rows]
ANSWERS: dict[tuple[str, int], Answer] = {}
"""The function that computes an answer, by question and the query's place in the question."""


def of(question: str, place: int = 0) -> Callable[[Answer], Answer]:
    """Register the function that answers a query of a question."""
    return lambda answer: ANSWERS.setdefault((question, place), answer)


def by_week(rows: Table, column: str = "calendar_date") -> Table:
    """Return the rows of three weeks, with their ISO week."""
    weekly = rows.filter(lambda row: row[column] in WEEKS)
    return weekly.with_(week=lambda row: WEEKS[row[column]])


def sums(rows: Table, *columns: str) -> Key:
    """Return the sum of each column."""
    return tuple(rows.sum(column) for column in columns)


def complete(rows: Table) -> Table:
    """Return the rows whose figures are complete."""
    return rows.where(is_complete=True)


def first_by_day_3(rows: Table) -> Table:
    """Return day 3 of each message's first article, where the readers are known."""
    return rows.where(position=1, day_number=3).known("readers")


def against_usual(asked: Asked) -> Table:
    """Return the articles' third days, with the median readers of their position."""
    usual = {row["position"]: row for row in asked.of_account("benchmark").where(day_number=3)}
    known = asked.of_account("article_day").where(day_number=3).known("readers")
    compared = known.filter(lambda row: row["position"] in usual)
    return compared.with_(median=lambda row: usual[row["position"]]["median"])


@of("5")
def reached_by_day(asked: Asked) -> Rows:
    final = asked.of_account("article").where(is_final=True)
    columns = [f"readers_day_{number}" for number in (1, 3, 7)]
    return [
        (
            len(final),
            *(share(final.sum(column), final.known(column).sum("readers")) for column in columns),
        )
    ]


@of("6")
def finish_rate(asked: Asked) -> Rows:
    known = asked.of_account("article").known("read_finish_rate", "readers")
    finished = total(Fraction(str(row["read_finish_rate"])) * row["readers"] for row in known)
    return [(len(known), share(finished, known.sum("readers")))]


@of("8")
def word_in_the_title(asked: Asked) -> Rows:
    newest = against_usual(asked).between("publication_date", YESTERDAY - 89 * DAY)
    rated = newest.filter(lambda row: row["median"]).with_(
        has_word=lambda row: "医保" in row["title"],
        ratio=lambda row: row["readers"] / row["median"],
    )
    return [(*key, len(rows), quantile(rows.values("ratio"))) for key, rows in rated.by("has_word")]


@of("9")
def cohort(asked: Asked) -> Rows:
    article_days = asked.of_account("article_day").between(
        "publication_date", november(1), november(15)
    )
    known = article_days.known("readers").filter(lambda row: 1 <= row["day_number"] <= 7)
    whole = Table(row for _, rows in known.by("msgid") if len(rows) == 7 for row in rows)
    return [(*key, len(rows), rows.sum("readers")) for key, rows in whole.by("day_number")]


@of("10")
def of_a_series(asked: Asked) -> Rows:
    series = asked.of_account("article").filter(
        lambda row: row["original_title"].startswith("别再问")
    )
    return [(len(series), series.sum("readers"))]


@of("11")
def sources(asked: Asked) -> Rows:
    known = asked.of_account("article_source").where(day_number=7).known("readers")
    found = [(*key, rows.sum("readers")) for key, rows in known.by("scene")]
    shares = [(scene, readers, share(readers, known.sum("readers"))) for scene, readers in found]
    return sorted(shares, key=lambda row: -row[1])


@of("12")
def weekly_report(asked: Asked) -> Rows:
    gained = ("readers_increment", "sharers_increment")
    weekly = by_week(asked.of_listed_accounts("account_day")).by("account_name", "appid", "week")
    return [
        (
            *(name, week, rows.sum("articles_published"), *sums(rows, *gained)),
            *(share(*sums(rows, *reversed(gained))), len(complete(rows))),
        )
        for (name, _, week), rows in weekly
    ]


@of("13")
def months(asked: Asked) -> Rows:
    account_days = asked.of_account("account_day").between("calendar_date", date(2026, 10, 1))
    by_month = account_days.with_(month=lambda row: f"{row['calendar_date']:%Y-%m}").by("month")
    readers = {key: complete(rows).sum("readers_comparable") for key, rows in by_month}
    return [
        (*key, len(rows), known, readers[key], share(readers[key], known))
        for key, rows in by_month
        for known in [len(complete(rows))]
    ]


@of("14")
def against_four_weeks_earlier(asked: Asked) -> Rows:
    by_day = {row["calendar_date"]: row for row in asked.of_account("account_day")}
    compared = [
        Table([by_day[day], by_day[day - 28 * DAY]]) for day in days(november(1), YESTERDAY)
    ]
    known = [two_days for two_days in compared if len(complete(two_days)) == 2]
    now, before = (total(two_days[n]["readers_comparable"] for two_days in known) for n in (0, 1))
    change = share(now, before)
    return [(len(compared), len(known), now, before, None if change is None else change - 1)]


@of("15")
def accounts_compared(asked: Asked) -> Rows:
    by_account = first_by_day_3(asked.of_listed_accounts("article_day")).by("account_name", "appid")
    return [
        (
            *(name, len(rows), quantile(rows.values("readers"))),
            share(rows.sum("sharers"), rows.known("sharers").sum("readers")),
        )
        for (name, _), rows in by_account
    ]


@of("16")
def drops(asked: Asked) -> Rows:
    found = []
    for (name, _), rows in asked.of_all_accounts("account_day").by("account_name", "appid"):
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
        for key, rows in by_week(asked.of_all_accounts("account_day")).by("week")
    ]


@of("18")
def best_weekday(asked: Asked) -> Rows:
    first = first_by_day_3(asked.of_account("article_day"))
    by_weekday = first.with_(weekday=lambda row: row["publication_date"].weekday()).by("weekday")
    return [(WEEKDAYS[n], len(rows), quantile(rows.values("readers"))) for (n,), rows in by_weekday]


@of("19")
def messages(asked: Asked) -> Rows:
    sent = asked.of_account("message").between("publication_date", november(1), YESTERDAY)
    opened = sent.filter(lambda row: row["target_user"]).sum("opened_user")
    columns = ("article_count", "article_count_30d", "readers_30d", "target_user")
    columns += ("target_user_articles",)
    open_rate = share(opened, sent.known("opened_user").sum("target_user"))
    return [(len(sent), len(sent.where(is_notified=True)), *sums(sent, *columns), open_rate)]


def is_old(row: Row) -> bool:
    """Return whether an article was read after its window, or its publication day is unknown."""
    return row["day_number"] is None or row["day_number"] > 30


@of("20")
def old_articles(asked: Asked) -> Rows:
    by_day = asked.of_account("article_read").between("stat_date", november(17)).by("stat_date")
    return [
        (*key, rows.sum("readers"), rows.filter(is_old).sum("readers"), rows.sum("sharers"))
        for key, rows in by_day
    ]


@of("20", 1)
def scenes_of_old_articles(asked: Asked) -> Rows:
    by_scene = asked.of_account("day_source").with_(is_old=is_old).by("scene")
    ages = (False, True)
    return [
        (*key, *(rows.where(is_old=age).sum("readers") for age in ages)) for key, rows in by_scene
    ]


@of("22")
def followers_by_week(asked: Asked) -> Rows:
    weekly = by_week(asked.of_account("follower_total"), "stat_date").by("week")
    return [(*key, *sums(rows, "won", "lost", "net"), len(complete(rows))) for key, rows in weekly]


@of("24", 1)
def week_since_its_report(asked: Asked) -> Rows:
    then_shown = expected_views.until(asked.collected, REPORTED_AT)
    reported = replace(asked, collected=then_shown).of_account("article_day")
    then, now = (
        by_week(rows, "stat_date").where(week="2026-W47").sum("readers_increment")
        for rows in (reported, asked.of_account("article_day"))
    )
    change = None if None in (now, then) else now - then
    return [("2026-W47", then, now, change)] if now is not None else []


@of("25")
def export(asked: Asked) -> Rows:
    fetched = (
        asked.of_account("coverage")
        .where(dataset=expected_views.OF_SUFFIX[asked.suffix].name)
        .known("fetched_at")
    )
    recent = fetched.filter(lambda row: row["fetched_at"] > EXPORTED_AT).values("day")
    by_day = (
        asked.of_account("article_day")
        .between("publication_date", november(17))
        .by("publication_date")
    )
    return [
        (*key, len(rows), len(newest), newest.sum("readers"))
        for key, rows in by_day
        for newest in [rows.where(is_latest=True)]
        if key[0] in recent
    ]
