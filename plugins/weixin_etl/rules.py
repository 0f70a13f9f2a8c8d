"""
The rules of time and state: which days are due, and when an answer is ready, a day final or in.

Pure functions: facts in, a verdict out; no clock, no connection, no Airflow. For a publication day
`P` and a window of `W` days, WeChat gives the rows `P … P+W-1`; the last is ready on the morning of
`P+W`. A statistics day `S` has its own rows only, and is asked for on `W` mornings, the last of
which is `S+W`'s; it is final by a ready answer of that day or later, which nothing need confirm.

    due       what a run asks for: a daily run every open day within reach, newest first
    ready     an answer that holds all that WeChat must have computed when it was fetched
    confirmed a pair whose list of articles is the same by the answers of two days in Beijing
    final     a confirmed pair whose totals have stopped growing: it is not asked for again
    resting   a pair that would be final, but its account lists nothing: it waits until it does
    in        a planned pair with a ready answer fetched since the run's newest plan
    retired   an endpoint that last answered 47009 for every day of the last window asked for
    held back what is not asked for, so that calls are left for the daily runs of the day
    stopped   an account that is no longer asked, for this try, this run or until midnight
    shown     what the page and `weixin-etl status` call a pair
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from math import ceil, inf

from weixin_etl import clock
from weixin_etl.datasets import Dataset, Day
from weixin_etl.model import (
    AttemptState,
    Coverage,
    DayState,
    PairState,
    ParameterError,
    PlannedPair,
    Run,
    Summary,
)
from weixin_etl.problem import ProblemKind

OFFLINE = 47009
"""WeChat's errcode for an endpoint it has taken out of service."""
CHANGES_THAT_END = 8
"""Changes of a pair's list of articles, at most one a day, after which it is final all the same."""
REFUSALS_THAT_STOP = 5
"""Outages, or 47009 beyond the present window, in a row, that end the account's try."""
WAIT_FOR_READY = timedelta(minutes=30)
_DAY = timedelta(days=1)
_LAST_ANSWERS_AFTER = 2
"""Days after `P+W` on which a day is final whatever rows it has."""
_NOON = time(12)
"""Beijing, on the run's day: then it asks for the last time."""


# ------------------------------------------------------------------------------------------- due


@dataclass(frozen=True, slots=True)
class Days:
    """Days from `first` to `last`, both included; empty when `last` is before it."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first <= day <= self.last

    def newest_first(self) -> list[date]:
        """Each day."""
        return [self.last - _DAY * n for n in range((self.last - self.first).days + 1)]


@dataclass(frozen=True, slots=True)
class Due:
    """What a run asks an account for."""

    days: list[date]
    """Newest first, then the witness."""
    caught_up: list[date]
    """Days before the window, which earlier runs left open."""
    final: int
    """Days of the window, or of the dates named, that are skipped because they are final."""
    lost: list[date]
    """Open days beyond the reach of daily runs: only a run with their dates asks for them."""
    resting: int = 0
    """Days that are skipped because they wait until the account lists an article."""
    is_probe: bool = False
    """The endpoint is retired: one day is asked, to find out when it is back."""
    witness: date | None = None
    """A day with a known article, asked for because none of the others lists one."""


def is_daily(run: Run, today: date) -> bool:
    """Whether the run is this morning's: it names no dates and its day is the real `today`."""
    return not run.names_dates and run.today == today


def window(run: Run, today: date) -> Days:
    """
    The days a run is about: those it names, else those whose totals may still have grown.

    No day is later than the real yesterday or earlier than the endpoint's first.

    Raises:
        ParameterError: the form's dates can't be asked for, or there is no such day.
    """
    dataset, yesterday = run.dataset, today - _DAY
    if run.names_dates:
        return _named_days(run, yesterday)
    days = Days(
        max(run.today - _DAY * dataset.window, dataset.first_day),
        min(run.today - _DAY, yesterday),
    )
    if days.last < days.first:
        raise ParameterError(
            f"nothing can be asked for on {run.today}: WeChat has "
            f"{'publication' if dataset.describes_articles else 'statistics'} days from "
            f"{dataset.first_day} to yesterday in Beijing, {yesterday}"
        )
    return days


def present_window(dataset: Dataset, today: date) -> Days:
    """The days whose totals may have grown yesterday, whatever the run asks for."""
    return Days(today - _DAY * dataset.window, today - _DAY)


def _named_days(run: Run, yesterday: date) -> Days:
    if run.begin_date is None or run.end_date is None:
        raise ParameterError("give both begin_date and end_date, or neither")
    if run.begin_date > run.end_date:
        raise ParameterError(f"begin_date {run.begin_date} is after end_date {run.end_date}")
    if run.end_date > yesterday:
        raise ParameterError(
            f"end_date {run.end_date} is too late: WeChat has days up to yesterday in Beijing, "
            f"{yesterday}"
        )
    if run.begin_date < run.dataset.first_day:
        raise ParameterError(
            f"begin_date {run.begin_date} is too early: {run.dataset.endpoint} starts on "
            f"{run.dataset.first_day}"
        )
    return Days(run.begin_date, run.end_date)


def concerned(run: Run, first_daily_date: date, today: date) -> Days:
    """
    The days whose state decides what is due and what is lost, for an account.

    For a daily run: all days from a window before the account's first daily run in this dataset.
    """
    days = window(run, today)
    if not is_daily(run, today):
        return days
    first = max(first_daily_date - _DAY * run.dataset.window, run.dataset.first_day)
    return Days(first, days.last)


def due(
    run: Run,
    *,
    first_daily_date: date,
    today: date,
    known: Mapping[date, Coverage],
    last_errcodes: Collection[int | None],
    catch_up_days: int,
) -> Due:
    """
    What the run asks the account for.

    Args:
        run: the run.
        first_daily_date: the day of the account's first daily run in this dataset; without one,
            `today`.
        today: the real day in Beijing, as `WEIXIN_NOW` has it.
        known: the coverage of the present window; of the days `concerned` that are not final,
            whether asked for or not; and, for a daily run, of every older open pair that has a
            ready answer.
        last_errcodes: as `is_retired` has it.
        catch_up_days: how many days before the window a daily run still reaches.

    Raises:
        ParameterError: as `window`.
    """
    days = window(run, today)
    open_days = {day: it for day, it in known.items() if not it.is_final}
    wanted = [day for day in days.newest_first() if run.refetch or day in open_days]
    final = len(days.newest_first()) - len(wanted)
    first = begin = concerned(run, first_daily_date, today).first
    if is_daily(run, today):
        in_reach = reach(run.dataset, today, first_daily_date, catch_up_days=catch_up_days)
        begin = max(first, in_reach)
        wanted += sorted((day for day in open_days if day < days.first), reverse=True)
    resting = {day for day in wanted if day in open_days and open_days[day].is_resting}
    if run.names_dates:
        resting.clear()
    awake = [day for day in wanted if day not in resting]
    asked = [day for day in awake if begin <= day or open_days[day].ready_at]
    is_probe = not run.names_dates and is_retired(last_errcodes)
    return Due(
        [days.last] if is_probe else asked,
        [] if is_probe else [day for day in asked if day < days.first],
        final,
        [day for day in awake if first <= day < begin and not open_days[day].ready_at],
        len(resting),
        is_probe=is_probe,
    )


def lacks_witness(run: Run, due: Due, known: Mapping[date, Coverage], today: date) -> bool:
    """
    Whether a daily run asks for nothing that can show whether the account is silent.

    It then asks for a witness as well: of the pairs with a ready answer and a known article, final
    or not, the one attempted longest ago. A statistics day stands for itself.
    """
    if run.dataset.day is Day.STATISTICS:
        return False
    lists = any(day in known and known[day].lists_articles for day in due.days)
    return is_daily(run, today) and not due.is_probe and not lists


# ----------------------------------------------------------------------------------------- quota


@dataclass(frozen=True, slots=True)
class Quota:
    """What is known of an account's calls of one endpoint on one day in Beijing."""

    calls: int
    """Made by all runs of that day."""
    limit: int | None
    """Allowed in a day; None when neither WeChat nor the setting says."""
    left: int | None
    """Still allowed; None when the limit is not known: then nothing is held back."""
    is_said: bool
    """Whether `left` rests on WeChat's word of that day; else on the count of our own calls."""


def quota(
    calls: int, *, said_limit: int | None, said_left: int | None, assumed_limit: int
) -> Quota:
    """
    What an account has left of a day on which `calls` were counted.

    What WeChat said of that day is believed over the count, because it counts everybody's calls.
    Else the limit is what it last said, or the assumed one (0 for none).
    """
    limit = assumed_limit or None if said_limit is None else said_limit
    if said_left is not None:
        return Quota(calls, limit, said_left, is_said=True)
    left = None if limit is None else max(0, limit - calls)
    return Quota(calls, limit, left, is_said=False)


def spare_calls(quota: Quota, *, refetch: bool, reserve: int) -> float:
    """
    How many calls leave the reserve whole; infinity for any number.

    A `refetch` does not believe that the quota is used up: somebody may have had it raised.
    """
    if quota.left is None or (refetch and quota.is_said and not quota.left):
        return inf
    return quota.left - reserve


def is_held_back(run: Run, day: date, spare: float, today: date) -> bool:
    """
    Whether a day is not asked for while `spare` calls leave the reserve whole.

    The days of a daily run's window are never held back: the reserve is for them.
    """
    return spare <= 0 and not (is_daily(run, today) and day in window(run, today))


def further_days(quota: Quota, held_back: int, *, reserve: int) -> int:
    """
    How many days' quota the calls held back take, each day's but the reserve.

    0 when nothing is held back, or no day leaves a call for it.
    """
    each_day = (quota.limit or 0) - reserve
    return ceil(held_back / each_day) if each_day > 0 else 0


# ----------------------------------------------------------------------------------------- ready


@dataclass(frozen=True, slots=True)
class StillCounting:
    """The account's articles in this dataset that must get a row of one day, its yesterday."""

    publication_dates: Collection[date]
    """Days within the window whose newest answer lists an article."""
    has_yesterday: bool
    """Whether one of these articles has the row."""


def is_ready(
    publication_date: date, answer: Summary, counting: StillCounting, ready_hour: int
) -> bool:
    """
    Whether an answer holds all that WeChat must have computed when it was fetched.

    WeChat may say itself that it does not. Before `ready_hour` (Beijing) that is also inferred: if
    articles are still counting and none has yesterday's row, WeChat has not computed yesterday yet,
    neither for yesterday's articles nor for any day that lists such an article. `counting`
    describes that yesterday.
    """
    if answer.is_delayed:
        return False
    at = answer.fetched_at.astimezone(clock.SHANGHAI)
    if at.hour >= ready_hour or counting.has_yesterday or not counting.publication_dates:
        return True
    is_yesterdays = publication_date == at.date() - _DAY
    return not is_yesterdays and publication_date not in counting.publication_dates


def is_counted(dataset: Dataset, answer: Summary, ready_hour: int) -> bool:
    """
    Whether an answer of a statistics day holds all that WeChat must have computed by then.

    An empty answer does not before `ready_hour` (Beijing), and never where a day has rows for
    certain.
    """
    if answer.is_delayed:
        return False
    is_late = answer.fetched_at.astimezone(clock.SHANGHAI).hour >= ready_hour
    return not answer.is_empty or (is_late and dataset.can_be_empty)


# ----------------------------------------------------------------------------------------- final


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a pair's ready answers from `P+W-1` on say about its list of articles."""

    list_sha256: bytes | None = None
    """Hash of the newest list that counts."""
    since: date | None = None
    """The day in Beijing since which all answers have listed the same."""
    changes: int = 0
    """How often the list has changed, counted at most once a day."""
    ready_at: datetime | None = None
    """When the newest ready answer was fetched, whatever its day."""
    is_resting: bool = False
    is_provisional: bool = False

    def with_newest(self, answer: Summary) -> "Evidence":
        """With the pair's newest ready answer."""
        if self.since and self.list_sha256 == answer.list_sha256:
            return self
        is_change = self.since is not None and self.since < answer.beijing_date
        return replace(
            self,
            list_sha256=answer.list_sha256,
            since=answer.beijing_date,
            changes=self.changes + is_change,
        )

    def with_late(self, answer: Summary) -> "Evidence":
        """
        With a ready answer older than the newest: it confirms nothing, but may contradict.

        If it contradicts, the list stands only since the day of the newest answer.
        """
        is_between = self.since is not None and self.since <= answer.beijing_date
        if not is_between or self.list_sha256 == answer.list_sha256 or self.ready_at is None:
            return self
        return replace(self, since=clock.beijing_date(self.ready_at), changes=self.changes + 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer is worth."""

    is_ready: bool
    is_final: bool
    """Whether its day is no longer asked for."""
    evidence: Evidence
    """What the pair's answers now say about its list."""


def verdict(
    dataset: Dataset,
    publication_date: date,
    answer: Summary,
    known: Evidence,
    *,
    counting: StillCounting,
    is_whole: bool,
    speaks: bool,
    ready_hour: int,
) -> Verdict:
    """
    Judge an answer of a publication day, once all of its account's are merged.

    A ready answer makes its pair final from `P+W` on if the pair is confirmed and whole, and from
    `P+W+2` on if it is confirmed or its list has changed eight times. An empty answer does so only
    on a day on which the account speaks; until then the pair rests.

    What a ready answer lists is provisional, that is, not to be relied on yet, if it is an empty
    list that came before `ready_hour` of the day after publication (before noon, while articles
    are still counting and none has yesterday's row), or on a day on which the account lists nothing
    at all; and, once the window is over, any list that no other day's answer has confirmed.

    Args:
        dataset: of the pair.
        publication_date: of the pair.
        answer: the pair's, in short.
        known: what the pair's earlier answers say about its list.
        counting: the account's articles that must get the row of the answer's yesterday.
        is_whole: every article this dataset ever listed for the day has all its rows, and no part
            of the answer was rejected.
        speaks: an answer of this dataset on that day in Beijing lists an article of the account.
        ready_hour: in Beijing; from then on what is missing is not still being computed.
    """
    if not is_ready(publication_date, answer, counting, ready_hour):
        is_resting = known.is_resting and answer.is_empty
        return Verdict(False, False, replace(known, is_resting=is_resting))
    past = days_past(dataset, publication_date, answer.fetched_at)
    is_silent = answer.is_empty and not speaks
    is_evidence = past >= -1 and not is_silent
    if known.ready_at and answer.fetched_at < known.ready_at:
        return Verdict(True, False, known.with_late(answer) if is_evidence else known)
    evidence = known.with_newest(answer) if is_evidence else known
    is_last = is_whole_at(past, is_whole=is_whole)
    is_sure = is_confirmed(evidence, answer)
    is_final = is_last and not is_silent and (is_sure or evidence.changes >= CHANGES_THAT_END)
    is_early = answer.is_empty and answer.fetched_at < _empty_is_sure_at(
        publication_date, counting, ready_hour
    )
    is_provisional = is_early or is_silent or (past >= 0 and not is_sure)
    return Verdict(
        True,
        is_final,
        replace(
            evidence,
            ready_at=answer.fetched_at,
            is_resting=is_last and is_silent,
            is_provisional=is_provisional and not is_final,
        ),
    )


def _empty_is_sure_at(publication_date: date, counting: StillCounting, ready_hour: int) -> datetime:
    """
    When an empty answer is no longer too early: at `ready_hour` of the day after publication.

    At noon if by then articles are still counting and none has yesterday's row: WeChat is late.
    """
    is_late = counting.publication_dates and not counting.has_yesterday
    hour = max(ready_hour, _NOON.hour) if is_late else ready_hour
    return datetime.combine(publication_date + _DAY, time(hour), clock.SHANGHAI)


def verdict_of_statistics(
    dataset: Dataset, stat_date: date, answer: Summary, known: Evidence, *, ready_hour: int
) -> Verdict:
    """Judge an answer of a statistics day: a ready one makes it final from `S+W` on."""
    if not is_counted(dataset, answer, ready_hour):
        return Verdict(False, False, known)
    is_late = known.ready_at is not None and answer.fetched_at < known.ready_at
    is_final = days_past(dataset, stat_date, answer.fetched_at) >= 0
    return Verdict(True, is_final, known if is_late else replace(known, ready_at=answer.fetched_at))


def is_whole_at(past: int, *, is_whole: bool) -> bool:
    """Whether no more rows will come: all are there on `P+W`, or it is `P+W+2` or later."""
    return past >= _LAST_ANSWERS_AFTER or (is_whole and past >= 0)


def is_confirmed(evidence: Evidence, answer: Summary) -> bool:
    """Whether the answer lists what the answers of an earlier day and all since then listed."""
    is_earlier = evidence.since is not None and evidence.since < answer.beijing_date
    return is_earlier and evidence.list_sha256 == answer.list_sha256


def days_past(dataset: Dataset, publication_date: date, at: datetime) -> int:
    """
    Days in Beijing since `P+W`, on whose morning the last row is ready; negative before it.

    Of a statistics day since `S+W`, the last morning on which it is asked for.
    """
    return (clock.beijing_date(at) - publication_date).days - dataset.window


# -------------------------------------------------------------------------------------------- in


def is_in(coverage: Coverage, planned_at: datetime, *, refetch: bool) -> bool:
    """
    Whether a planned pair has a ready answer since the run's newest plan, whoever fetched it.

    A final pair is in as well, unless the run was told to `refetch`.
    """
    if coverage.is_final and not refetch:
        return True
    return coverage.ready_at is not None and coverage.ready_at >= planned_at


def is_odd(coverage: Coverage) -> bool:
    """Whether nothing fits of the last answer, which ended the asking for the pair all the same."""
    is_failed = coverage.attempt_state is AttemptState.FAILED
    return is_failed and coverage.ready_at == coverage.attempted_at


def came_of(
    state: PairState, coverage: Coverage, planned_at: datetime, *, refetch: bool
) -> PairState:
    """What came of a planned pair in its run: one that it did not ask for may be in by another."""
    is_there = state is PairState.PLANNED and is_in(coverage, planned_at, refetch=refetch)
    return PairState.IN_BY_ANOTHER if is_there else state


def makes_red(pair: PlannedPair, run: Run) -> bool:
    """
    Whether the pair makes its run red: it is not in, and the run's own attempt does not excuse it.

    Two refusals are excused, if this run met them: a probe that found its endpoint still retired,
    and an account that has withdrawn its authorisation, unless the run names that account. An
    answer of which nothing fits makes it red even if it ends the asking.
    """
    known = pair.coverage
    if is_in(known, pair.planned_at, refetch=run.refetch):
        return is_odd(known) and pair.state is PairState.FAILED
    if pair.state is not PairState.FAILED:
        return True
    if known.error_kind is ProblemKind.WITHDRAWN:
        return not {pair.appid, pair.conn_id}.isdisjoint(run.accounts)
    return not (pair.is_probe and known.error_code == OFFLINE)


def is_back(pair: PlannedPair) -> bool:
    """Whether a retired endpoint answered its probe: the account's open days are due again."""
    return pair.is_probe and pair.state in (PairState.LOADED, PairState.EMPTY, PairState.NOT_READY)


def is_to_be_asked(pair: PlannedPair, *, refetch: bool, by_itself: bool) -> bool:
    """
    Whether an ingest asks for the pair.

    The first try after a plan asks for all pairs of the plan. Later tries ask for those that are
    not in; an automatic retry (`by_itself`) leaves out those that only a person can fix.
    """
    if pair.state is PairState.PLANNED:
        return refetch or pair.is_witness or not pair.coverage.is_final
    if is_in(pair.coverage, pair.planned_at, refetch=refetch):
        return False
    return pair.is_retryable or not by_itself


# --------------------------------------------------------------------- retired, stopped, waiting


def is_retired(last_errcodes: Collection[int | None]) -> bool:
    """
    Whether WeChat has taken the endpoint offline for an account.

    That is, 47009 ended the last attempt of each pair in the last window asked for: the dataset's
    window up to the newest day that was ever asked for. `last_errcodes` is how these attempts
    ended, None for an answer.
    """
    return set(last_errcodes) == {OFFLINE}


def next_attempt_at(answered_at: datetime) -> datetime:
    """When an account whose daily quota is used up may be asked again: the next midnight."""
    return clock.next_time(time(0), answered_at)


def asks_again_at(run: Run, now: datetime) -> datetime | None:
    """When a scheduled run asks again for what was not ready: at noon at last, then None."""
    noon = datetime.combine(run.today, _NOON, clock.SHANGHAI)
    return min(now + WAIT_FOR_READY, noon) if run.is_scheduled and now < noon else None


# ----------------------------------------------------------------------------------------- shown


def due_date(now: datetime) -> date:
    """
    The morning whose figures must be in by now: today's from noon on (Beijing), else yesterday's.

    At noon a scheduled run stops waiting.
    """
    at = now.astimezone(clock.SHANGHAI)
    return at.date() if at.hour >= _NOON.hour else at.date() - _DAY


def reach(
    dataset: Dataset, today: date, first_daily_date: date | None, *, catch_up_days: int
) -> date:
    """
    The first publication day that daily runs ask for; of earlier ones only those once ready.

    They reach `catch_up_days` beyond today's window, but no further back than the window of the
    account's first daily run, if it had one.
    """
    first = today - _DAY * (dataset.window + catch_up_days)
    if first_daily_date is None:
        return first
    return max(first, first_daily_date - _DAY * dataset.window)


def day_state(
    dataset: Dataset,
    publication_date: date,
    coverage: Coverage | None,
    *,
    first_daily_date: date | None,
    now: datetime,
    is_retired: bool,
    catch_up_days: int,
) -> DayState:
    """
    What a pair is called where people look at it.

    `first_daily_date` is the day of the account's first daily run in this dataset. A pair out of
    reach of daily runs has failed, and is not lost, if it was asked for in vain and nobody has
    said that it is not wanted.
    """
    if coverage and coverage.is_final and (coverage.is_unwanted or not is_odd(coverage)):
        return DayState.FINAL
    if is_retired and (coverage is None or coverage.error_code == OFFLINE):
        return DayState.RETIRED
    if coverage and coverage.is_resting:
        return DayState.RESTING
    today = clock.beijing_date(now)
    first = reach(dataset, today, first_daily_date, catch_up_days=catch_up_days)
    if publication_date < first and not (coverage and coverage.ready_at):
        is_left_open = (
            coverage
            and coverage.attempt_state in (AttemptState.FAILED, AttemptState.NOT_READY)
            and coverage.error_code != OFFLINE
            and not coverage.is_unwanted
        )
        return DayState.FAILED if is_left_open else DayState.LOST
    if coverage and coverage.attempt_state is AttemptState.FAILED:
        return DayState.FAILED
    due = due_date(now)
    ready_date = date.min
    if coverage and coverage.ready_at:
        ready_date = clock.beijing_date(coverage.ready_at)
    waits = coverage is not None and coverage.attempt_state is AttemptState.NOT_READY
    is_over = days_past(dataset, publication_date, now) > 0
    if coverage and coverage.ready_at and coverage.is_provisional and is_over and not waits:
        return DayState.UNCONFIRMED
    if ready_date >= today or (ready_date >= due and not waits):
        return DayState.IN
    if publication_date >= due or (waits and due < today):
        return DayState.OPEN
    if coverage is None or (coverage.attempt_state is None and coverage.fetched_at is None):
        return DayState.NEVER_ASKED
    return DayState.LATE


_NOT_IN = {DayState.OPEN, DayState.LATE, DayState.FAILED, DayState.NEVER_ASKED, DayState.LOST}


def while_asked(state: DayState) -> DayState:
    """What a pair is called while a run is at work that has yet to bring it in."""
    return DayState.BEING_ASKED if state in _NOT_IN else state
