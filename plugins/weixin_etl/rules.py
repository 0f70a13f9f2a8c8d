"""
The rules of time and state: what a run asks for, and what an answer makes of its pair.

Pure functions: facts in, a verdict out; no clock, no connection, no Airflow. For a publication day
`P` and a window of `W` days, WeChat gives the rows `P … P+W-1`; the last is ready on the morning of
`P+W`. A statistics day `S` has its own rows only, and is asked for on the mornings up to `S+W`'s.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from weixin_etl.clock import SHANGHAI, beijing
from weixin_etl.datasets import Dataset
from weixin_etl.model import EMPTY_LIST_SHA256, Coverage, Due, Run, State, days_newest_first

DAY = timedelta(days=1)
OFFLINE_ERRCODE = 47009
"""WeChat's errcode for an endpoint it has taken out of service."""
UNREADABLE_KIND = "unreadable"
"""The kind of an answer of which nothing fits."""
NO_FIGURES_KIND = "no_figures"
"""The kind of a day that is given up because none of its articles has a figure."""
QUOTA_KIND = "daily_quota"
"""The kind of a refusal because the calls allowed in a day are used up."""
FINALITY_GRACE_DAYS = 2
"""So many days after `P+W` a confirmed day is final whatever rows it has, or none any more."""
OLDER_CHUNK_DAYS = 30
"""Days before the window that are merged and judged together, at most."""
OUTAGES_BEFORE_STOP = 5
"""Outages, or 47009 beyond the present window, in a row, that end the account's try."""
POLL_INTERVAL = timedelta(minutes=30)
NOON = time(12)
"""Beijing: then a scheduled run asks for the last time, and the morning's figures must be in."""

# ---------------------------------------------------------------------------- what a run asks for


def is_daily(run: Run, today: date) -> bool:
    """Whether the run is this morning's: it names no dates and its day is the real `today`."""
    return not run.names_dates and run.today == today


def catch_up_start(dataset: Dataset, today: date, since: date | None, catch_up_days: int) -> date:
    """The first day that daily runs ask for; of earlier ones only those once ready."""
    first = today - DAY * (dataset.window + catch_up_days)
    return max(first, since or first, dataset.first_day)


def due_days(
    run: Run, today: date, known: Mapping[date, Coverage], since: date, catch_up_days: int
) -> Due:
    """
    What a run asks an account for.

    Args:
        run: with its dates, as `Run.dated` gives it; `today`: the real day in Beijing.
        known: the account's open days, the present window's, the two newest attempted, the one
            heard last, the one with articles attempted longest ago; of others, which are settled.
        since: the first day that daily runs are to bring in: the first one's day less `W`.
        catch_up_days: how many days before the window a daily run still asks for.
    """
    account = _AccountDays(run, known, last_article_at(known.values()))
    if is_retired(known) and not run.names_dates:
        return Due(run.days[:1], is_retirement_check=True)
    if not is_daily(run, today):
        return Due(older=account.open(run.days))
    window_first = today - DAY * run.dataset.window
    begin = catch_up_start(run.dataset, today, since, catch_up_days)
    first = account.open(account.days(window_first, today - DAY))
    caught_up = account.open(account.days(begin, window_first - DAY))
    older = [*caught_up, *account.unconfirmed_before(begin)]
    control_day = account.control_day(first) if run.dataset.describes_articles else None
    first += [] if control_day is None else [control_day]
    older = [day for day in older if day not in first and not account.is_left_alone(day, today)]
    return Due(first, older, control_day)


@dataclass(frozen=True, slots=True)
class _AccountDays:
    """The days of an account, newest first, as a run finds them."""

    run: Run
    known: Mapping[date, Coverage]
    heard: datetime | None

    def pair(self, day: date) -> Coverage:
        return self.known.get(day, Coverage())

    def days(self, first: date, last: date) -> list[date]:
        """Both included; none that WeChat never had."""
        return days_newest_first(max(first, self.run.dataset.first_day), last)

    def open(self, days: list[date]) -> list[date]:
        """Those not settled; with `refetch` all."""
        return [day for day in days if self.run.refetch or not self.pair(day).settled]

    def unconfirmed_before(self, begin: date) -> list[date]:
        """Those not settled of which something is known, however old they are."""
        known = ((day, pair) for day, pair in self.known.items() if day < begin)
        return sorted((day for day, it in known if it.ready_at and not it.settled), reverse=True)

    def is_left_alone(self, day: date, today: date) -> bool:
        """Whether a day beyond the window is silent, or has an answer of today."""
        pair, over = self.pair(day), day + DAY * self.run.dataset.window
        is_of_today = pair.ready_date == today and pair.error_kind is None
        return is_of_today or lists_nothing(pair, over, self.heard)

    def control_day(self, window: list[date]) -> date | None:
        """Where the window lists no article: of the days with any, the one asked longest ago."""
        if any(self.pair(day).lists_articles for day in window):
            return None
        asked = {
            day: it.attempted_at
            for day, it in sorted(self.known.items(), reverse=True)
            if day not in window and it.may_be_control_day and it.attempted_at
        }
        return min(asked, key=asked.__getitem__, default=None)


def is_retired(known: Mapping[date, Coverage]) -> bool:
    """Whether the two newest days that were ever asked for were last answered 47009."""
    asked = sorted(day for day, pair in known.items() if pair.attempted_at is not None)
    return len(asked) > 1 and all(known[day].error_code == OFFLINE_ERRCODE for day in asked[-2:])


def last_article_at(known: Iterable[Coverage]) -> datetime | None:
    """When one of the account's newest ready answers last listed an article."""
    heard = (pair.ready_at for pair in known if pair.lists_articles and pair.ready_at)
    return max(heard, default=None)


def lists_nothing(pair: Coverage, over: date, heard: datetime | None) -> bool:
    """Whether its newest answer, of `over` or later, says nothing; nor did any later one."""
    if pair.ready_at is None or pair.list_sha256 is not None:
        return False
    return beijing(pair.ready_at)[0] >= over and (heard is None or heard < pair.ready_at)


# ------------------------------------------------------------- what an answer makes of its pair


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the rules look at of an answer, or of a refusal."""

    at: datetime
    list_sha256: bytes = EMPTY_LIST_SHA256
    article_count: int = 0
    """Of a statistics day: of its rows."""
    is_whole: bool = True
    """Whether all that it lists has all `W` rows, and nothing of it was rejected."""
    has_yesterday: bool = False
    """Whether something that it lists has a row of the day before the answer."""
    has_figures: bool = True
    """Whether a row of it has one of the totals that WeChat always gives."""
    has_news: bool = False
    """Whether it brought a row that was not stored, or a running total in it fell."""
    is_delayed: bool = False
    error_kind: str | None = None
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class ChunkEvidence:
    """What the answers that are judged together say of a day in Beijing."""

    answers: Mapping[date, Evidence]
    heard_at: datetime | None
    """When an article was last listed, by the coverage before and the try's earlier chunks."""
    window: int

    def is_heard(self, today: date) -> bool:
        """Whether the account has listed an article that day."""
        listed = [answer.at for answer in self.answers.values() if answer.article_count]
        return any(beijing(at)[0] == today for at in [*listed, self.heard_at] if at)

    def lacks_yesterday(self, today: date) -> bool:
        """Whether articles are counting, and that day no answer had the row of the day before."""
        ages = {day: (today - day) // DAY for day in self.answers}
        window = [it for day, it in self.answers.items() if 0 < ages[day] <= self.window]
        has_it = any(beijing(answer.at)[0] == today for answer in window if answer.has_yesterday)
        return any(answer.article_count for answer in window) and not has_it


def next_coverage(
    before: Coverage,
    dataset: Dataset,
    day: date,
    answer: Evidence,
    chunk: ChunkEvidence,
    ready_hour: time,
) -> Coverage:
    """
    Return a pair's coverage after one attempt.

    A refusal keeps earlier results; only the attempt is noted. An unreadable answer two or more
    days after the window settles the day as given up. A delayed or early answer is `not_ready`.
    Any other sets `ready_at`. A statistics day is final by a ready answer of `S+W` or later. A
    publication day is final by a ready answer of `P+W+1` or later that brings no new row and in
    which no running total fell, if the ready answer before it, of an earlier Beijing day and of
    `P+W` or later, lists the same articles; until `P+W+2` also only if every article has all its
    rows. Where its articles have no figure at all, it is given up instead.
    """
    tried = replace(
        before,
        article_count=max(before.article_count, answer.article_count),
        attempted_at=answer.at,
        error_kind=answer.error_kind,
        error_code=answer.error_code,
        error=None,
        cure=None,
    )
    (today, clock), settled = beijing(answer.at), before.settled
    past = (today - day) // DAY - dataset.window
    if answer.error_kind:
        is_given_up = answer.error_kind == UNREADABLE_KIND and past >= FINALITY_GRACE_DAYS
        return replace(tried, settled=settled or ("given_up" if is_given_up else None))
    listed = answer.list_sha256 if answer.article_count or chunk.is_heard(today) else None
    if dataset.describes_articles:
        is_ready = clock >= ready_hour or past > 0 or not chunk.lacks_yesterday(today)
        is_whole = answer.is_whole and bool(answer.article_count or not before.article_count)
        is_last = past >= (0 if is_whole else FINALITY_GRACE_DAYS) and not answer.has_news
        is_final = is_last and _is_confirmed(before, listed, day + DAY * dataset.window, today)
    else:
        is_ready = bool(answer.article_count) or (clock >= ready_hour and dataset.can_be_empty)
        is_final = past >= 0
    if answer.is_delayed or not is_ready:
        return replace(tried, error_kind="not_ready")
    is_final = is_final or settled == "final"
    ready = replace(
        tried,
        settled="final" if is_final else None,
        ready_at=answer.at,
        list_sha256=listed,
        listed_since=_listed_since(before, listed, answer.at),
    )
    has_articles_only = answer.article_count and not answer.has_figures
    if is_final and has_articles_only and settled != "final":
        return replace(ready, settled="given_up", error_kind=NO_FIGURES_KIND)
    return ready


def _listed_since(before: Coverage, listed: bytes | None, at: datetime) -> datetime | None:
    """Return since when ready answers in a row list the same; None if this one leaves no list."""
    if listed is None:
        return None
    return before.listed_since if listed == before.list_sha256 else at


def _is_confirmed(before: Coverage, listed: bytes | None, since: date, today: date) -> bool:
    """Return whether the ready answer before, of an earlier day and not before `since`, agrees."""
    if before.ready_date is None or listed is None or listed != before.list_sha256:
        return False
    return since <= before.ready_date < today


def behind_days(dataset: Dataset, known: Mapping[date, Coverage]) -> list[date]:
    """
    Return the days of the account's window of which the newest figures are missing, oldest first.

    The morning is that on which the newest answered day was answered. The days that were answered,
    ready, on that morning list articles, but no article of the window has figures of the day before
    it. `known` is the account's coverage, at least of the window.
    """
    newest = max((day for day, pair in known.items() if pair.ready_at), default=None)
    morning = known[newest].ready_date if newest else None
    if morning is None or not dataset.describes_articles:
        return []
    answered = {
        day: pair
        for day, pair in known.items()
        if pair.ready_date == morning and 0 < (morning - day) // DAY <= dataset.window
    }
    if any(pair.newest_date == morning - DAY for pair in answered.values()):
        return []
    return sorted(day for day, pair in answered.items() if pair.lists_articles)


# ------------------------------------------------------- in, asked again, and what it is called


def is_satisfied(pair: Coverage, planned_at: datetime, *, refetch: bool) -> bool:
    """Whether a planned pair is settled, or was answered since the plan, whoever asked."""
    is_answered = pair.ready_at is not None and pair.ready_at >= planned_at
    return is_answered or (pair.settled is not None and not refetch)


def was_given_up_since(pair: Coverage, planned_at: datetime) -> bool:
    """
    Return whether an attempt since the plan found the pair unreadable for good: it fails the run.

    A day whose articles have no figures is a warning: no run is red for it.
    """
    is_unreadable = pair.settled == "given_up" and pair.error_kind == UNREADABLE_KIND
    return is_unreadable and pair.is_attempted_since(planned_at)


def needs_request(
    pair: Coverage, planned_at: datetime, *, refetch: bool, is_control_day: bool
) -> bool:
    """Whether a try of the run asks for a planned pair: not what is in, but for the control day."""
    is_unheard = is_control_day and not pair.is_attempted_since(planned_at)
    return is_unheard or not is_satisfied(pair, planned_at, refetch=refetch)


def is_quota_used_up(pair: Coverage, planned_at: datetime, now: datetime) -> bool:
    """Whether an attempt since the plan found the day's quota used up, on this day in Beijing."""
    at = pair.attempted_at if pair.error_kind == QUOTA_KIND else None
    return at is not None and at >= planned_at and beijing(at)[0] == beijing(now)[0]


def next_poll_at(run: Run, now: datetime) -> datetime | None:
    """When a scheduled run asks again for what was not ready: at noon at last, then None."""
    noon = datetime.combine(run.today, NOON, SHANGHAI)
    return min(now + POLL_INTERVAL, noon) if run.is_scheduled and now < noon else None


def due_morning(now: datetime) -> date:
    """The morning whose figures must be in: today's from noon on (Beijing), else yesterday's."""
    today, clock = beijing(now)
    return today if clock >= NOON else today - DAY


def state_of(
    dataset: Dataset,
    day: date,
    pair: Coverage,
    *,
    catch_up_start: date,
    heard: datetime | None,
    now: datetime,
) -> State:
    """What people call a pair, the first word that holds; `reach` and `heard` as above."""
    over, morning = day + DAY * dataset.window, due_morning(now)
    if pair.settled:
        return State(pair.settled)
    if pair.ready_date is None and day < catch_up_start:
        return State.LOST
    if over < beijing(now)[0] and lists_nothing(pair, over, heard):
        return State.SILENT
    if pair.ready_date and pair.ready_date >= over:
        return State.UNCONFIRMED
    if pair.ready_date and pair.ready_date >= morning:
        return State.IN
    return State.LATE if day < morning else State.OPEN
