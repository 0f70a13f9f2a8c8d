"""
The rules of time and state: what a run asks for, and what an answer makes of its pair.

Pure functions: facts in, a verdict out; no clock, no connection, no Airflow. For a publication day
`P` and a window of `W` days, WeChat gives the rows `P … P+W-1`; the last is ready on the morning of
`P+W`. A statistics day `S` has its own rows only, and is asked for on the mornings up to `S+W`'s.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import Dataset
from weixin_etl.model import NOTHING, Coverage, ParameterError, Run, State

DAY = timedelta(days=1)
OFFLINE = 47009
"""WeChat's errcode for an endpoint it has taken out of service."""
UNREADABLE = "unreadable"
"""The kind of an answer of which nothing fits."""
QUOTA = "daily_quota"
"""The kind of a refusal because the calls allowed in a day are used up."""
LAST_ANSWER = 2
"""So many days after `P+W` a confirmed day is final whatever rows it has."""
OLDER_DAYS = 30
"""Days before the window that are merged and judged together, at most."""
REFUSALS_THAT_STOP = 5
"""Outages, or 47009 beyond the present window, in a row, that end the account's try."""
WAIT_FOR_READY = timedelta(minutes=30)
NOON = time(12)
"""Beijing: then a scheduled run asks for the last time, and the morning's figures must be in."""


def beijing(at: datetime) -> tuple[date, time]:
    """The day and the time of day in Beijing."""
    local = at.astimezone(SHANGHAI)
    return local.date(), local.time()


# ------------------------------------------------------------------------------------------- due


@dataclass(frozen=True, slots=True)
class Due:
    """What a run asks an account for."""

    first: list[date] = field(default_factory=list)
    """The days of the present window, newest first, then the witness: judged together."""
    older: list[date] = field(default_factory=list)
    """Newest first; judged in chunks of at most 30."""
    lost: list[date] = field(default_factory=list)
    """Open days beyond the reach of daily runs: only a run with their dates asks for them."""
    witness: date | None = None
    """The last of the first days, where none of the window lists an article."""
    is_probe: bool = False
    """The endpoint is retired: one day is asked, to find out when it is back."""


def is_daily(run: Run, today: date) -> bool:
    """Whether the run is this morning's: it names no dates and its day is the real `today`."""
    return not run.names_dates and run.today == today


def dated(run: Run, today: date) -> Run:
    """
    The run with the first and the last day it is about: those it names, or its morning's window.

    Raises:
        ParameterError: the form's dates can't be asked for, or there is no such day.
    """
    dataset, yesterday = run.dataset, today - DAY
    if not run.names_dates:
        first = max(run.today - DAY * dataset.window, dataset.first_day)
        last = min(run.today, today) - DAY
        if last < first:
            raise ParameterError(
                f"nothing can be asked for on {run.today}: WeChat has {dataset.day.value}s from "
                f"{dataset.first_day} to yesterday in Beijing, {yesterday}"
            )
        return replace(run, begin_date=first, end_date=last)
    if run.begin_date is None or run.end_date is None:
        raise ParameterError("give both begin_date and end_date, or neither")
    if run.begin_date > run.end_date:
        raise ParameterError(f"begin_date {run.begin_date} is after end_date {run.end_date}")
    if run.end_date > yesterday:
        raise ParameterError(
            f"end_date {run.end_date} is too late: WeChat has days up to yesterday in Beijing, "
            f"{yesterday}"
        )
    if run.begin_date < dataset.first_day:
        raise ParameterError(
            f"begin_date {run.begin_date} is too early: {dataset.endpoint} starts on "
            f"{dataset.first_day}"
        )
    return run


def days_of(first: date, last: date) -> list[date]:
    """From the last to the first, both included; none when the last is earlier."""
    return [last - DAY * number for number in range((last - first) // DAY + 1)]


def heard_at(known: Iterable[Coverage]) -> datetime | None:
    """When one of the account's newest ready answers last listed an article."""
    heard = (pair.ready_at for pair in known if pair.lists_articles and pair.ready_at)
    return max(heard, default=None)


def is_silent(pair: Coverage, over: date, heard: datetime | None) -> bool:
    """
    Whether a day is left alone until its account lists an article again.

    Its newest ready answer, of the day when its window was `over` or later, says nothing.
    """
    if pair.ready_at is None or pair.list_sha256 is not None or beijing(pair.ready_at)[0] < over:
        return False
    return heard is None or heard < pair.ready_at


def is_retired(known: Mapping[date, Coverage]) -> bool:
    """Whether the two newest days that were ever asked for were last answered 47009."""
    asked = sorted(day for day, pair in known.items() if pair.attempted_at is not None)
    return len(asked) > 1 and all(known[day].error_code == OFFLINE for day in asked[-2:])


def due(
    run: Run, today: date, known: Mapping[date, Coverage], since: date, catch_up_days: int
) -> Due:
    """
    What a run asks an account for.

    Args:
        run: as `dated` gives it.
        today: the real day in Beijing.
        known: the account's rows: the open ones, the present window's, and, settled or not, the
            two newest days attempted, the one heard last, the one with articles attempted longest
            ago.
        since: the first day that daily runs are to bring in.
        catch_up_days: how many days before the window a daily run still asks for.
    """
    if run.begin_date is None or run.end_date is None:
        raise ValueError("the run has no dates: see `dated`")
    window, heard = run.dataset.window, heard_at(known.values())
    window_first = today - DAY * window

    def open_days(first: date, last: date) -> list[date]:
        first = max(first, run.dataset.first_day)
        days = days_of(first, last)
        return [d for d in days if run.refetch or d not in known or not known[d].settled]

    def less_silent(days: list[date]) -> list[date]:
        return [
            d
            for d in days
            if d not in known
            or d >= window_first
            or not is_silent(known[d], d + DAY * window, heard)
        ]

    if is_retired(known) and not run.names_dates:
        return Due([run.end_date], is_probe=True)
    if run.names_dates or run.end_date < today - DAY:
        return Due(older=open_days(run.begin_date, run.end_date))
    begin = max(since, window_first - DAY * catch_up_days)
    days = less_silent(open_days(min(begin, window_first), today - DAY))
    before = [
        d
        for d, pair in known.items()
        if d < min(begin, window_first) and pair.ready_at and not pair.settled
    ]
    days += less_silent(sorted(before, reverse=True))
    lost = [d for d in less_silent(open_days(since, begin - DAY)) if d not in days]
    first = [d for d in days if d >= window_first]
    older = [d for d in days if d < window_first and not _is_of_day(known.get(d), today)]
    witness = None
    if run.dataset.describes_articles and not any(
        d in known and known[d].lists_articles for d in first
    ):
        witness = _witness(known, first)
    if witness:
        first.append(witness)
    return Due(first, [d for d in older if d != witness], lost, witness)


def _is_of_day(pair: Coverage | None, today: date) -> bool:
    """Whether today's answer is there: only another day's can confirm it."""
    is_ready = pair is not None and pair.ready_at is not None and pair.error_kind is None
    return is_ready and beijing(pair.ready_at)[0] == today  # type: ignore[union-attr,arg-type] # is_ready


def _witness(known: Mapping[date, Coverage], asked: list[date]) -> date | None:
    """Of the days with articles, the one attempted longest ago, of these the newest."""
    listed = [
        (pair.attempted_at, -d.toordinal(), d)
        for d, pair in known.items()
        if pair.article_count and pair.ready_at and pair.attempted_at and d not in asked
    ]
    return min(listed)[-1] if listed else None


# ----------------------------------------------------------------------------------------- after


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rules look at of an answer, or of a refusal."""

    at: datetime
    list_sha256: bytes = NOTHING
    article_count: int = 0
    """Of a statistics day: of its rows."""
    is_whole: bool = True
    """Whether all that it lists has all `W` rows, and nothing of it was rejected."""
    has_yesterday: bool = False
    """Whether something that it lists has a row of the day before the answer."""
    is_delayed: bool = False
    error_kind: str | None = None
    error_code: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """What the answers that are judged together say of a day in Beijing."""

    answers: Mapping[date, Answer]
    heard_at: datetime | None
    """When an article was last listed, by the coverage before and the try's earlier chunks."""
    window: int

    def is_heard(self, today: date) -> bool:
        """Whether the account has listed an article that day."""
        if self.heard_at is not None and beijing(self.heard_at)[0] == today:
            return True
        return any(it.article_count and beijing(it.at)[0] == today for it in self.answers.values())

    def lacks_yesterday(self, today: date) -> bool:
        """Whether articles are counting, and none has the row of the day before."""
        window = [
            it for d, it in self.answers.items() if 0 < (today - d) // DAY <= self.window
        ]
        return any(it.article_count for it in window) and not any(
            it.has_yesterday for it in window
        )


def after(
    before: Coverage,
    dataset: Dataset,
    day: date,
    answer: Answer,
    chunk: Chunk,
    ready_hour: time,
) -> Coverage:
    """
    What is stored of a pair after an attempt; of a refusal, only that.

    A day whose last answer can't be read is given up: its bytes are kept, and a replay brings it in.
    """
    tried = replace(
        before,
        attempted_at=answer.at,
        error_kind=answer.error_kind,
        error_code=answer.error_code,
        error=None,
        cure=None,
    )
    (today, clock), window = beijing(answer.at), dataset.window
    past = (today - day) // DAY - window
    if answer.error_kind:
        gives_up = answer.error_kind == UNREADABLE and past >= LAST_ANSWER
        return replace(tried, settled=before.settled or ("given_up" if gives_up else None))
    if dataset.describes_articles:
        is_ready = clock >= ready_hour or past > 0 or not chunk.lacks_yesterday(today)
    else:
        is_ready = bool(answer.article_count) or (clock >= ready_hour and dataset.can_be_empty)
    most = max(before.article_count, answer.article_count)
    if answer.is_delayed or not is_ready:
        return replace(tried, article_count=most, error_kind="not_ready")
    listed = answer.list_sha256 if answer.article_count or chunk.is_heard(today) else None
    is_confirmed = is_last = past >= 0
    if dataset.describes_articles:
        earlier = before.ready_at and beijing(before.ready_at)[0]
        is_same_list = listed is not None and listed == before.list_sha256
        is_confirmed = bool(
            is_same_list and earlier and day + DAY * (window - 1) <= earlier < today
        )
        is_last = past >= LAST_ANSWER or (past >= 0 and answer.is_whole)
    settled = before.settled or ("final" if is_confirmed and is_last else None)
    return replace(
        tried, settled=settled, ready_at=answer.at, list_sha256=listed, article_count=most
    )


# ----------------------------------------------------------------------------- in, red, asked again


def is_in(pair: Coverage | None, planned_at: datetime, *, refetch: bool) -> bool:
    """Whether a planned pair is settled, or was answered since the plan, whoever asked."""
    if pair is None:
        return False
    if pair.settled and not refetch:
        return True
    return pair.ready_at is not None and pair.ready_at >= planned_at


def is_given_up_since(pair: Coverage, planned_at: datetime) -> bool:
    """Whether an attempt since the plan gave the pair up: told once, by the run that met it."""
    is_attempted = pair.attempted_at is not None and pair.attempted_at >= planned_at
    return pair.settled == "given_up" and is_attempted


def is_to_be_asked(
    pair: Coverage | None, planned_at: datetime, *, refetch: bool, is_witness: bool
) -> bool:
    """Whether a try of the run asks for a planned pair: not what is in, but for the witness."""
    if pair is None or not is_in(pair, planned_at, refetch=refetch):
        return True
    return is_witness and (pair.attempted_at is None or pair.attempted_at < planned_at)


def is_used_up(pair: Coverage, planned_at: datetime, now: datetime) -> bool:
    """Whether an attempt since the plan found the day's quota used up, on this day in Beijing."""
    at = pair.attempted_at
    is_of_run = at is not None and at >= planned_at and beijing(at)[0] == beijing(now)[0]
    return pair.error_kind == QUOTA and is_of_run


def asks_again_at(run: Run, now: datetime) -> datetime | None:
    """When a scheduled run asks again for what was not ready: at noon at last, then None."""
    noon = datetime.combine(run.today, NOON, SHANGHAI)
    return min(now + WAIT_FOR_READY, noon) if run.is_scheduled and now < noon else None


# ----------------------------------------------------------------------------------------- state


def due_morning(now: datetime) -> date:
    """The morning whose figures must be in: today's from noon on (Beijing), else yesterday's."""
    today, clock = beijing(now)
    return today if clock >= NOON else today - DAY


def reach(dataset: Dataset, today: date, since: date | None, catch_up_days: int) -> date:
    """The first day that daily runs ask for; of earlier ones only those once ready."""
    first = today - DAY * (dataset.window + catch_up_days)
    return max(first, since, dataset.first_day) if since else max(first, dataset.first_day)


def state(
    dataset: Dataset,
    day: date,
    pair: Coverage | None,
    *,
    reach: date,
    heard: datetime | None,
    now: datetime,
) -> State:
    """
    What people call a pair: the first word that holds.

    `reach` is the first day that daily runs still ask for, `heard` as `heard_at` has it.
    """
    known = pair or Coverage()
    if known.settled:
        return State(known.settled)
    ready_date = known.ready_at and beijing(known.ready_at)[0]
    over, today = day + DAY * dataset.window, beijing(now)[0]
    if ready_date is None and day < reach:
        return State.LOST
    if over < today and is_silent(known, over, heard):
        return State.SILENT
    if ready_date and ready_date >= over:
        return State.UNCONFIRMED
    morning = due_morning(now)
    if ready_date and ready_date >= morning:
        return State.IN
    return State.LATE if day < morning else State.OPEN
