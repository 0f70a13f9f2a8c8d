"""
The rules of time and state.

They decide which days a run asks WeChat for, how an answer changes the coverage of its day, and
which state a day is in. `run` and `load` call them. Every function is pure: the caller passes the
facts, and no function reads a clock, a database or Airflow.

For a publication day `P` and a window of `W` days, WeChat gives the rows `P … P+W-1`. The last row
is ready on the morning of `P+W`. A statistics day `S` has only its own rows. It is requested on
each morning until that of `S+W`.
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
"""The problem kind of an answer in which no part could be read."""
NO_FIGURES_KIND = "no_figures"
"""The problem kind of a day that is given up because none of its articles has a figure."""
QUOTA_KIND = "daily_quota"
"""The problem kind of a refusal because the account has used up its calls of the day."""
FINALITY_GRACE_DAYS = 2
"""A day that was confirmed becomes final this many days after `P+W`, even if rows are missing."""
OLDER_CHUNK_DAYS = 30
"""The most days before the window that form one chunk: they are merged and evaluated together."""
OUTAGES_BEFORE_STOP = 5
"""The number of outages in a row that ends the account's try. 47009 for older days counts too."""
POLL_INTERVAL = timedelta(minutes=30)
"""The time between two requests of a scheduled run for a day that was not ready."""
NOON = time(12)
"""
The time in Beijing at which a scheduled run makes its last request for days that were not ready.

From then on the figures of this morning are late if they are missing.
"""

# ------------------------------------------------------------------------- choose a run's requests


def is_daily(run: Run, today: date) -> bool:
    """Return whether the run is of `today`, the real Beijing day, and its form names no dates."""
    return not run.names_dates and run.today == today


def catch_up_start(
    dataset: Dataset, today: date, collected_since: date | None, catch_up_days: int
) -> date:
    """
    Return the first day of the catch-up range: `catch_up_days` before the window, or later.

    It is never before `collected_since` or the dataset's first day. A daily run requests every open
    day from there on. Of earlier days it requests only those that had a ready answer.

    Args:
        dataset: the endpoint.
        today: the day in Beijing.
        collected_since: the first day that daily runs collect of the account. None if unknown: it
            then limits nothing.
        catch_up_days: the number of days before the window that a daily run still requests.
    """
    first = today - DAY * (dataset.window + catch_up_days)
    return max(first, collected_since or first, dataset.first_day)


def due_days(
    run: Run, today: date, known: Mapping[date, Coverage], collected_since: date, catch_up_days: int
) -> Due:
    """
    Return the days of one account that a run requests.

    - Retired endpoint, and the form names no dates: only the run's newest day, as a check.
    - Any run but the daily one: the run's open days, as older days.
    - Daily run: the open days of the window, then the control day. As older days, the open days of
      the catch-up range, then all earlier days that had a ready answer and are not settled. Older
      days are left out if they have an answer of today, or are silent.

    A day is open if it is not settled. With `refetch` every day of the run and of the catch-up
    range counts as open. The result can be empty.

    Args:
        run: the run with its dates, as `Run.dated` returns it.
        today: the real day in Beijing.
        known: the account's coverage by day. It has the open days, the days of the present window,
            the two newest attempted days, the day with the newest list of articles, and the day
            with articles that was attempted longest ago. Other days are needed only if they are
            settled and the run may request them.
        collected_since: the first day that daily runs collect: `W` days before the first daily run.
        catch_up_days: the number of days before the window that a daily run still requests.
    """
    if is_retired(known) and not run.names_dates:
        return Due(run.days[:1], is_retirement_check=True)
    first = _open_days(run, run.days, known)
    if not is_daily(run, today):
        return Due(older=first)
    control_day = _control_day(known, first) if run.dataset.describes_articles else None
    first += [] if control_day is None else [control_day]
    begin = catch_up_start(run.dataset, today, collected_since, catch_up_days)
    older = _older_days(run, today, known, begin)
    return Due(first, [day for day in older if day not in first], control_day)


def _open_days(run: Run, days: list[date], known: Mapping[date, Coverage]) -> list[date]:
    """Return the days that are not settled, in the same order. With `refetch` all of them."""
    return [day for day in days if run.refetch or day not in known or not known[day].settled]


def _older_days(run: Run, today: date, known: Mapping[date, Coverage], begin: date) -> list[date]:
    """
    Return the days before the window that a daily run requests, newest first.

    They are the open days from `begin` on, also those that were never asked for (if the run
    refetches, all of them), and earlier days that had a ready answer and are not settled. Days
    whose last attempt gave a ready answer today are left out, and so are silent days.

    Args:
        run: the daily run.
        today: the day of the run in Beijing.
        known: the coverage of the account's days that were ever asked for.
        begin: the first day that is caught up.
    """
    window, listed_at = DAY * run.dataset.window, last_article_at(known.values())
    caught_up = _open_days(run, days_newest_first(begin, today - window - DAY), known)
    ready = [day for day in known if day < begin and known[day].ready_at]
    earlier = sorted((day for day in ready if not known[day].settled), reverse=True)
    skipped = {
        day
        for day, coverage in known.items()
        if (coverage.ready_date == today and coverage.error_kind is None)
        or lists_nothing(coverage, day + window, listed_at)
    }
    return [day for day in [*caught_up, *earlier] if day not in skipped]


def _control_day(known: Mapping[date, Coverage], window: list[date]) -> date | None:
    """
    Return the day with articles that was attempted longest ago, the latest of equally old ones.

    The day is not one of `window`, has an attempt and a ready answer, and is not given up. Return
    None if a day of `window` lists articles, or if there is no such day.
    """
    if any(day in known and known[day].lists_articles for day in window):
        return None
    attempts = {
        day: coverage.attempted_at
        for day, coverage in sorted(known.items(), reverse=True)
        if day not in window and coverage.may_be_control_day and coverage.attempted_at
    }
    return min(attempts, key=attempts.__getitem__, default=None)


def is_retired(known: Mapping[date, Coverage]) -> bool:
    """
    Return whether the endpoint is taken out of service for an account, given its coverage by day.

    It is if the last attempts of the two newest attempted days were answered 47009. With fewer than
    two attempted days it is not.
    """
    last_two = sorted(day for day, coverage in known.items() if coverage.attempted_at)[-2:]
    return len(last_two) > 1 and all(known[day].error_code == OFFLINE_ERRCODE for day in last_two)


def last_article_at(known: Iterable[Coverage]) -> datetime | None:
    """
    Return when the account last listed an article: the newest `ready_at` of days that list some.

    Return None if no day's newest ready answer lists articles.
    """
    fetched = (coverage.ready_at for coverage in known if coverage.lists_articles)
    return max(filter(None, fetched), default=None)


def newest_date(known: Iterable[Coverage]) -> date | None:
    """Return the newest stat_date with figures in an account's coverage; None if none has any."""
    dates = (coverage.newest_date for coverage in known)
    return max(filter(None, dates), default=None)


def lists_nothing(coverage: Coverage, window_end: date, last_article_at: datetime | None) -> bool:
    """
    Return whether a day is silent: its newest ready answer lists no article after its window.

    That answer is of the Beijing day `window_end` or later. No day of the account listed articles
    on the same Beijing day, so the coverage has no hash of a list. False without a ready answer,
    and if the account listed an article in that answer's instant or later.

    Args:
        coverage: the day's coverage.
        window_end: the first day after the day's window, `P+W`.
        last_article_at: what the function of this name returns for the account.
    """
    if coverage.ready_at is None or coverage.list_sha256 is not None:
        return False
    is_silent_since = last_article_at is None or last_article_at < coverage.ready_at
    return is_silent_since and beijing(coverage.ready_at)[0] >= window_end


# ------------------------------------------------------------------- evaluate an answer's evidence


@dataclass(frozen=True, slots=True)
class Evidence:
    """The facts of one attempt, an answer or an error, that the rules evaluate."""

    at: datetime
    """When the response was fetched, or the error occurred."""
    list_sha256: bytes = EMPTY_LIST_SHA256
    """The hash of the list of articles."""
    article_count: int = 0
    """The number of listed articles. For a statistics day: the number of rows."""
    is_whole: bool = True
    """Whether each listed article has all `W` rows, and no part of the answer was rejected."""
    has_yesterday: bool = False
    """Whether a listed article has a row of the day before the answer."""
    has_figures: bool = True
    """Whether a row has one of the totals that WeChat always gives."""
    has_news: bool = False
    """Whether the answer has a row that was not stored yet, or a running total fell."""
    is_delayed: bool = False
    """Whether WeChat marked the figures as delayed."""
    error_kind: str | None = None
    """The problem kind of the error. None for a readable answer."""
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class ChunkEvidence:
    """The successful answers of one chunk, which are evaluated together."""

    answers: Mapping[date, Evidence]
    last_article_at: datetime | None
    """When an article was last listed, in the coverage or in earlier chunks of the try."""
    window: int

    def lists_articles_on(self, today: date) -> bool:
        """
        Return whether an answer of the Beijing day `today` lists an article of the account.

        The answers of the chunk count, and the newest earlier one in `last_article_at`.
        """
        listed = [answer.at for answer in self.answers.values() if answer.article_count]
        return any(beijing(at)[0] == today for at in [*listed, self.last_article_at] if at)

    def lacks_yesterday(self, today: date) -> bool:
        """
        Return whether the window has articles, but no answer of `today` has a row of yesterday.

        The window are the chunk's days from `today - W` to yesterday. False if they list nothing.
        """
        ages = {day: (today - day) // DAY for day in self.answers}
        window = [self.answers[day] for day, age in ages.items() if 0 < age <= self.window]
        dates = {beijing(answer.at)[0] for answer in window if answer.has_yesterday}
        return today not in dates and any(answer.article_count for answer in window)


def next_coverage(
    before: Coverage,
    dataset: Dataset,
    day: date,
    answer: Evidence,
    chunk: ChunkEvidence,
    ready_hour: time,
) -> Coverage:
    """
    Return the day's coverage after one attempt.

    Every attempt sets `attempted_at` and the error, which is None after a ready answer, or
    `no_figures`. It removes `error` and `cure`, the texts of the error before. `article_count`
    never falls.

    An error keeps earlier results. An unreadable answer two or more days after the window settles
    the day as given up. A delayed or early answer is `not_ready`, and keeps earlier results too.
    Every other answer sets `ready_at`, the hash of the list, and since when the list is the same.

    An answer about a publication day is early if it is of `P+W` or earlier, was fetched before
    `ready_hour`, and the chunk's window has articles but no row of yesterday. An answer about a
    statistics day is early if it is empty, unless it was fetched from `ready_hour` on and the
    endpoint gives empty answers.

    An empty list has a hash only if the account listed an article on the same Beijing day.

    A statistics day becomes final with a ready answer of `S+W` or later. A publication day becomes
    final with a ready answer of `P+W+1` or later that meets these conditions:

    - The previous ready answer lists the same articles. That answer is of an earlier Beijing day,
      and of `P+W` or later.
    - The answer has no new row, and no running total fell.
    - Every article has all its rows, no part was rejected, and the list is not empty if it had
      articles before. This is not required from `P+W+2` on.

    A final day stays final after a ready answer. A day that was given up is open again, unless the
    answer makes it final. If the articles of a day that becomes final have no figure, the day is
    given up instead, with the kind `no_figures`.

    Args:
        before: the coverage before the attempt.
        dataset: the endpoint.
        day: the day that was requested.
        answer: the evidence of the response.
        chunk: the evidence of the chunk's successful answers.
        ready_hour: the time in Beijing from which the figures of yesterday are complete.
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
    (today, time_of_day), settled = beijing(answer.at), before.settled
    is_complete, days_past = time_of_day >= ready_hour, (today - day) // DAY - dataset.window
    if answer.error_kind:
        is_given_up = answer.error_kind == UNREADABLE_KIND and days_past >= FINALITY_GRACE_DAYS
        return replace(tried, settled=settled or ("given_up" if is_given_up else None))
    listed = answer.list_sha256 if answer.article_count or chunk.lists_articles_on(today) else None
    if dataset.describes_articles:
        is_ready = is_complete or days_past > 0 or not chunk.lacks_yesterday(today)
        is_whole = answer.is_whole and bool(answer.article_count or not before.article_count)
        is_last = days_past >= (0 if is_whole else FINALITY_GRACE_DAYS) and not answer.has_news
        is_final = is_last and _is_confirmed(before, listed, day + DAY * dataset.window, today)
    else:
        is_ready = bool(answer.article_count) or (is_complete and dataset.can_be_empty)
        is_final = days_past >= 0
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
    """Return `at` if the list changed, else when it changed last. None without a hash `listed`."""
    if listed is None:
        return None
    return before.listed_since if listed == before.list_sha256 else at


def _is_confirmed(before: Coverage, listed: bytes | None, window_end: date, today: date) -> bool:
    """
    Return whether the last ready answer lists the same articles as the hash `listed`.

    It must be of a Beijing day from `window_end` to the day before `today`. False if there was no
    ready answer, or if `listed` is None.
    """
    if before.ready_date is None or listed is None or listed != before.list_sha256:
        return False
    return window_end <= before.ready_date < today


def is_behind(dataset: Dataset, day: date, coverage: Coverage, newest_date: date | None) -> bool:
    """
    Return whether the newest ready answer lacks the figures of the day before it was fetched.

    Articles lack them if the answer lists some, it is of the day's window, and no answer of the
    account has figures of that day or a later one. A statistics day lacks them if it was empty on
    its first morning although the day before it has figures.

    Args:
        dataset: the endpoint.
        day: the publication day or statistics day.
        coverage: the day's coverage.
        newest_date: what the function of this name returns for the account.
    """
    morning = coverage.ready_date
    if morning is None:
        return False
    if not dataset.describes_articles:
        is_empty = not coverage.lists_articles and morning == day + DAY
        return is_empty and newest_date == day - DAY
    is_expected = coverage.lists_articles and morning <= day + DAY * dataset.window
    return is_expected and (newest_date is None or newest_date < morning - DAY)


def behind_days(dataset: Dataset, known: Mapping[date, Coverage]) -> list[date]:
    """
    Return the publication days that are behind since the newest morning, oldest first.

    That morning is the one on which the newest day with a ready answer was answered. `is_behind`
    says what is behind. Return no day for a dataset of statistics days.

    Args:
        dataset: the endpoint.
        known: the account's coverage by day, at least of the window.
    """
    newest = max((day for day, coverage in known.items() if coverage.ready_at), default=None)
    if newest is None or not dataset.describes_articles:
        return []
    morning, newest_stat_date = known[newest].ready_date, newest_date(known.values())
    return sorted(
        day
        for day, coverage in known.items()
        if coverage.ready_date == morning and is_behind(dataset, day, coverage, newest_stat_date)
    )


# ---------------------------------------------------------------------------- name a day's state


def is_satisfied(coverage: Coverage, planned_at: datetime, *, refetch: bool) -> bool:
    """
    Return whether a planned slice needs no further request of the run.

    It has a ready answer fetched at or after `planned_at`, by any run, or it is settled. With
    `refetch` only the answer counts.
    """
    is_answered = coverage.ready_at is not None and coverage.ready_at >= planned_at
    return is_answered or (coverage.settled is not None and not refetch)


def was_given_up_since(coverage: Coverage, planned_at: datetime) -> bool:
    """
    Return whether an attempt at or after `planned_at` found the slice given up as unreadable.

    Such a slice fails the run. A slice that is given up because it has no figures does not.
    """
    is_unreadable = coverage.settled == "given_up" and coverage.error_kind == UNREADABLE_KIND
    return is_unreadable and coverage.is_attempted_since(planned_at)


def needs_request(
    coverage: Coverage, planned_at: datetime, *, refetch: bool, is_control_day: bool
) -> bool:
    """
    Return whether a try of the run requests a planned slice.

    It does if the slice is not satisfied, see `is_satisfied`. The control day is also requested if
    nobody attempted it at or after `planned_at`, even if it is settled.
    """
    is_unchecked = is_control_day and not coverage.is_attempted_since(planned_at)
    return is_unchecked or not is_satisfied(coverage, planned_at, refetch=refetch)


def is_quota_used_up(coverage: Coverage, planned_at: datetime, now: datetime) -> bool:
    """
    Return whether the slice's last attempt was refused because the day's calls are used up.

    The attempt is at or after `planned_at`, and of the same Beijing day as `now`: WeChat's quota
    begins anew each day.
    """
    at = coverage.attempted_at if coverage.error_kind == QUOTA_KIND else None
    return at is not None and at >= planned_at and beijing(at)[0] == beijing(now)[0]


def next_poll_at(run: Run, now: datetime) -> datetime | None:
    """
    Return when a run requests the days again that were not ready: half an hour after `now`.

    The last time is noon of the run's day in Beijing, if that is sooner. Return None from noon on,
    and for a run that is not scheduled.
    """
    noon = datetime.combine(run.today, NOON, SHANGHAI)
    return min(now + POLL_INTERVAL, noon) if run.is_scheduled and now < noon else None


def due_morning(now: datetime) -> date:
    """Return the newest morning whose figures must be stored: today's from noon in Beijing on."""
    today, time_of_day = beijing(now)
    return today if time_of_day >= NOON else today - DAY


def state_of(
    dataset: Dataset,
    day: date,
    coverage: Coverage,
    *,
    is_ended: bool,
    catch_up_start: date,
    last_article_at: datetime | None,
    newest_date: date | None,
    now: datetime,
) -> State:
    """
    Return the state of one day of an account: the first of these that applies.

    - `final` or `given_up`: the coverage is settled.
    - `ended`: daily runs no longer request the account, or only check its retired endpoint.
    - `lost`: the day is before the catch-up range and never had a ready answer.
    - `silent`: see `lists_nothing`. A day can be silent from `P+W+1` on.
    - `unconfirmed`: the newest ready answer is of the window's end or later.
    - `behind`: the newest ready answer is of the morning that is due, or later, and `is_behind`.
    - `in`: it is of that morning or later, and not behind.
    - `late`: the day is before the morning that is due; `open`: it is not.

    Args:
        dataset: the endpoint.
        day: the publication day or statistics day.
        coverage: the day's coverage.
        is_ended: whether the account is no longer collected, or `is_retired` is true.
        catch_up_start: what the function of this name returns for the account.
        last_article_at: what the function of this name returns for the account.
        newest_date: what the function of this name returns for the account.
        now: the instant for which the state is computed.
    """
    window_end, morning = day + DAY * dataset.window, due_morning(now)
    if coverage.settled:
        return State(coverage.settled)
    if is_ended:
        return State.ENDED
    if coverage.ready_date is None and day < catch_up_start:
        return State.LOST
    if window_end < beijing(now)[0] and lists_nothing(coverage, window_end, last_article_at):
        return State.SILENT
    if coverage.ready_date and coverage.ready_date >= window_end:
        return State.UNCONFIRMED
    if coverage.ready_date and coverage.ready_date >= morning:
        return State.BEHIND if is_behind(dataset, day, coverage, newest_date) else State.IN
    return State.LATE if day < morning else State.OPEN
