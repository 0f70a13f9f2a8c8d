"""
Execute a calendar of runs in memory, as the pipeline and Airflow would.

`Engine` has the rules' decisions but no database and no HTTP. It decides only by the coverage of
each account and day, with the functions of `weixin_etl.rules`; everything else is a log that
`promises.py` checks. `pipeline.py` replaces plan, ingest and check with the real ones.
"""

import heapq
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from math import inf

from weixin_etl import rules
from weixin_etl.load.evaluation import evaluate_history, merge_coverage
from weixin_etl.load.stage import StagedAnswer
from weixin_etl.model import Account, Coverage, Due, PlannedAccount, Run
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.run.ingest import IngestResult, Tally
from weixin_etl.run.outcome import Outcome
from world.wechat import (
    MIDNIGHT_0,
    STOPS_ACCOUNT,
    TRANSIENT,
    Listing,
    Refusal,
    Rows,
    WeChat,
    at,
    date_of,
    day_number,
    day_of,
    instant,
    readers,
)

READY_HOUR, CATCH_UP_DAYS, GOOD_MORNINGS, QUICK_TRIES = 10, 60, 4, 3
GREEN_TOO = "green "
CALL, PLAN, CHECK, QUICK_TRY = 3, 60, 12, 120
"""Durations of a call, a plan and a check, and the wait before a retry, in seconds."""

ANSWERS = (None, Refusal.IS_DELAY, Refusal.UNREADABLE)
"""The outcomes of a call whose bytes are kept."""

Endpoint = tuple[str, str]
"""Dataset and AppID."""
Start = tuple[float, Run, int | None]
"""The moment a run starts, the run, and the number of calls after which it is killed."""


@dataclass
class Calendar:
    """
    The events: what WeChat shows, the runs, the connections and the operator's clears.

    Faults end with day `mornings`, the first good morning; three more good mornings follow.
    """

    mornings: int
    wechats: dict[Endpoint, WeChat]
    runs: list[Start]
    connections: list[tuple[str, str | None, float, float]] = field(
        default_factory=lambda: [("a", "A", -inf, inf)]
    )
    """Connection id, its AppID (None: the login is broken), and the moments it begins and ends."""
    clears: list[tuple[float, str]] = field(default_factory=list)
    """The moment, and the tasks that are cleared of a red run; `green ` allows any run."""

    def accounts(self, moment: float) -> dict[str, str | None]:
        """Return the AppID of each connection that is configured at the moment."""
        return {
            conn: appid for conn, appid, since, until in self.connections if since <= moment < until
        }

    @property
    def last_day(self) -> int:
        """The last good morning."""
        return self.mornings + GOOD_MORNINGS - 1


@dataclass
class SliceRecord:
    """The coverage of an account and day, its answers, and the log of the ready ones."""

    coverage: Coverage = field(default_factory=Coverage)
    answers: dict[int, tuple[Listing, rules.Evidence]] = field(default_factory=dict)
    """The listing and the evidence of each answer, by its moment."""
    ready: list[int] = field(default_factory=list)
    """The moments of the ready answers."""
    final_at: float = inf
    silent_on: float = -inf
    """The last day, after the window, on which the day's answer was ready and silent."""

    @property
    def seen_at(self) -> float:
        """The moment of the newest answer."""
        return max(self.answers, default=-inf)

    @property
    def facts(self) -> Listing:
        """The rows of each article, each from the newest answer that has it."""
        return next((facts for _, facts in reversed([*self.history()])), {})

    def history(self) -> Iterator[tuple[rules.Evidence, Listing]]:
        """Yield the evidence of each answer, oldest first, and the facts after it."""
        facts: Listing = {}
        for _, (listing, evidence) in sorted(self.answers.items()):
            judged = replace(evidence, has_news=has_news(facts, listing))
            for article, rows in listing.items():
                facts = facts | {article: facts.get(article, {}) | rows}
            yield judged, facts

    def is_ready_since(self, since: datetime) -> bool:
        """Return whether a ready answer has been fetched since the instant."""
        return bool(self.ready) and instant(self.ready[-1]) >= since


def has_news(facts: Listing, listing: Listing) -> bool:
    """Return whether an answer has a row that the facts lack, or readers that fell."""
    return any(_has_news(facts.get(article, {}), rows) for article, rows in listing.items())


def _has_news(known: Rows, rows: Rows) -> bool:
    fell = any(readers(n, rows[n]) < readers(n, known.get(n, rows[n])) for n in rows)
    changed = {n for n in rows if known.get(n) != rows[n]}
    fell_between = (
        readers(later, rows[later]) < readers(earlier, rows[earlier])
        for earlier, later in pairwise(sorted(rows))
        if {earlier, later} & changed
    )
    return bool(rows.keys() - known.keys()) or fell or any(fell_between)


@dataclass(eq=False)
class Process:
    """A run in progress, with Airflow's record of its tries."""

    run: Run
    killed_after: int | None = None
    begun_at: float = inf
    due: dict[str, Due] = field(default_factory=dict)
    """The days of the newest plan, by account."""
    planned_at: datetime = MIDNIGHT_0
    """The instant of the newest plan."""
    answered_since: datetime | None = None
    """The instant of the first plan, or of the newest plan that an operator asked for."""
    unplannable: list[str] = field(default_factory=list)
    was_daily: bool = False
    calls: Counter[tuple[str, date]] = field(default_factory=Counter)
    tries: int = 0
    quick_tries: int = 0
    kills: int = 0
    is_cleared: bool = False
    is_red: bool = False

    @property
    def day(self) -> int:
        """The run's day."""
        return day_number(self.run.today)

    def days(self, appid: str) -> list[date]:
        """Return the planned days of an account."""
        return self.due.get(appid, Due()).days


@dataclass
class Engine:
    """The coverage, the tasks of a run, and Airflow's retries around them."""

    calendar: Calendar
    records: dict[Endpoint, dict[date, SliceRecord]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    since: dict[Endpoint, date] = field(default_factory=dict)
    """The first day that daily runs collect."""
    runs: list[Process] = field(default_factory=list)
    """The runs that have ended."""
    listed_on: dict[Endpoint, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Days on which an answer fetched together with yesterday's listed an article."""
    known_on: dict[Endpoint, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Days whose plan knew an article listed on that day or the day before."""

    def coverage(self, endpoint: Endpoint) -> dict[date, Coverage]:
        """Return the endpoint's coverage by day."""
        return {day: record.coverage for day, record in self.records[endpoint].items()}

    # ------------------------------------------------------------------------------ the verbs

    def plan(self, process: Process, moment: int) -> None:
        """Replace the run's plan."""
        run, today = process.run, date_of(day_of(moment))
        process.due, process.unplannable, attempts = {}, [], set[datetime | None]()
        for conn_id, appid in self.calendar.accounts(moment).items():
            if appid is None:
                process.unplannable.append(conn_id)
            elif not run.accounts or appid in run.accounts:
                endpoint = run.dataset.name, appid
                if rules.is_daily(run, today):
                    first = today - rules.DAY * run.dataset.window
                    self.since.setdefault(endpoint, max(first, run.dataset.first_day))
                process.due[appid] = self.due(run, appid, today)
                attempts |= {coverage.attempted_at for coverage in self.coverage(endpoint).values()}
        # days that another run asked for in this instant are asked for again
        is_after = instant(moment) in attempts
        process.planned_at = instant(moment) + timedelta(microseconds=is_after)

    def due(self, run: Run, appid: str, today: date) -> Due:
        """Return the days that a run asks an account for."""
        endpoint = run.dataset.name, appid
        since = self.since.get(endpoint, today - rules.DAY * run.dataset.window)
        return rules.due_days(
            run.dated(today), today, self.coverage(endpoint), since, CATCH_UP_DAYS
        )

    def ingest(self, process: Process, moment: int) -> int:
        """Ask for the missing days, account by account. Return the moment it ends."""
        kills = process.kills
        for appid in process.due:
            moment = self._account(process, appid, moment)
            if process.kills > kills:
                break
        return moment

    def check(self, process: Process, moment: int) -> None:
        """Set whether the run is red."""
        process.is_red = bool(self.outcome(process, moment).problems() or process.unplannable)

    def outcome(self, process: Process, moment: int = 0, *appids: str) -> Outcome:
        """Return the outcome of the plan, of the given accounts or of all."""
        planned = [
            PlannedAccount(appid, appid, appid, process.planned_at, due)
            for appid, due in process.due.items()
            if appid in (appids or process.due)
        ]
        known = {
            (account.appid, day): coverage
            for account in planned
            for day, coverage in self.coverage((process.run.dataset.name, account.appid)).items()
            if day in account.due.days
        }
        used_up = {
            appid: coverage
            for (appid, _), coverage in known.items()
            if rules.is_quota_used_up(coverage, process.planned_at, instant(moment))
        }
        return Outcome(process.run, planned, known, dict.fromkeys(process.due, inf), used_up)

    def not_in(self, process: Process) -> list[tuple[str, date]]:
        """Return the planned account-days that fail the run."""
        outcome = self.outcome(process)
        return [
            (account.appid, day)
            for account, day, coverage in outcome.slices()
            if outcome.fails_run(account, coverage)
        ]

    # ---------------------------------------------------------------------- asking and judging

    def _account(self, process: Process, appid: str, moment: int) -> int:
        """Ask for an account's days, chunk by chunk. Return the moment it ends."""
        asking, outcome = Asking(self, process, appid, moment), self.outcome(process, moment, appid)
        if appid not in self.calendar.accounts(moment).values():
            asking.stopped = Refusal.NO_CONNECTION
        for chunk in outcome.chunks(outcome.accounts[0]):
            if not asking.chunk(chunk):
                break
        return asking.moment

    # ------------------------------------------------------------------------------- Airflow

    def step(self, process: Process, moment: int) -> int | None:
        """
        Make one try, the first with its plan.

        Return the moment of the next try, or None once the run has been checked.
        """
        if process.tries == 0:
            self._plan_first_try(process, moment)
            moment += PLAN
        kills = process.kills
        moment = self.ingest(process, moment)
        process.tries += 1
        result = IngestResult(self.outcome(process, moment).problems(), set(), Tally())
        is_retryable = process.kills > kills or result.is_retryable
        if is_retryable and process.quick_tries < QUICK_TRIES:
            process.quick_tries += 1
            return moment + QUICK_TRY * 2 ** (process.quick_tries - 1)
        again = rules.next_poll_at(process.run, instant(moment))
        if again and result.has_not_ready:
            return round((again - MIDNIGHT_0).total_seconds())
        self.check(process, moment + CHECK)
        self.runs.append(process)
        return None

    def _plan_first_try(self, process: Process, moment: int) -> None:
        """Plan the run, and log what its first plan knew."""
        process.begun_at = min(process.begun_at, moment)
        self.plan(process, moment)
        process.answered_since = process.answered_since or process.planned_at
        process.was_daily = rules.is_daily(process.run, date_of(day_of(moment)))
        for appid in process.due if process.was_daily else ():
            endpoint = process.run.dataset.name, appid
            last_article_at = rules.last_article_at(self.coverage(endpoint).values())
            if last_article_at and last_article_at >= instant(at(process.day - 1)):
                self.known_on[endpoint].add(process.day)

    def clear(self, process: Process, moment: int, tasks: str) -> int | None:
        """
        Clear tasks as an operator does: `all`, those from `ingest` on, or `check` alone.

        Return the moment of the next try, or None.
        """
        process.is_cleared = True
        if tasks != "check":
            process.quick_tries = 0
        if tasks == "all":
            process.tries, process.answered_since = 0, None
            return self.step(process, moment)
        if tasks == "ingest":
            moment = self.ingest(process, moment)
        self.check(process, moment + CHECK)
        self.runs.append(process)
        return None


@dataclass
class Asking:
    """A try of one account."""

    engine: Engine
    process: Process
    appid: str
    moment: int
    stopped: Refusal | None = None
    refused: int = 0
    """Failed calls in a row; too many of them stop the account."""
    article_at: datetime | None = None
    """The time of this try's last answer that listed an article, ready or not."""

    @property
    def endpoint(self) -> Endpoint:
        """The dataset and account that are asked."""
        return self.process.run.dataset.name, self.appid

    def chunk(self, days: Sequence[date]) -> bool:
        """Ask for some days, and evaluate them together. Return whether the try continues."""
        answers: dict[date, tuple[int, Refusal | None, Listing]] = {}
        for day in days:
            if self.stopped is None and self.process.killed_after == self.process.calls.total():
                self.process.killed_after, self.process.kills = None, self.process.kills + 1
                self._commit({} if len(answers) % 2 else answers)  # before or after the commit
                return False
            refusal, listing = self._ask(day)
            answers[day] = self.moment, refusal, listing
        self._commit(answers)
        return True

    def _ask(self, day: date) -> tuple[Refusal | None, Listing]:
        """Make a call unless an earlier failure stopped the account, and advance the clock."""
        if self.stopped is not None:
            return self.stopped, {}
        self.moment += CALL
        wechat = self.engine.calendar.wechats[self.endpoint]
        refusal, listing = wechat.call(day_number(day), self.moment)
        self.process.calls[self.appid, day] += 1
        age = day_of(self.moment) - day_number(day)
        counts = refusal in TRANSIENT or (
            refusal is Refusal.OFFLINE and age > wechat.dataset.window
        )
        self.refused = self.refused + 1 if counts else 0
        if refusal in STOPS_ACCOUNT or self.refused == rules.OUTAGES_BEFORE_STOP:
            self.stopped = refusal
        return refusal, listing

    def _commit(self, answers: dict[date, tuple[int, Refusal | None, Listing]]) -> None:
        """Merge the answers into the coverage, evaluated together."""
        dataset, records = self.process.run.dataset, self.engine.records[self.endpoint]
        evidence = {day: self._evidence(day, *answer) for day, answer in answers.items()}
        known = rules.last_article_at(record.coverage for record in records.values())
        last_article_at = max((at for at in (known, self.article_at) if at), default=None)
        together = {day: found for day, found in evidence.items() if not found.error_kind}
        chunk, late = (
            rules.ChunkEvidence(together, last_article_at, dataset.window),
            dict[date, SliceRecord](),
        )
        for day, (moment, refusal, listing) in answers.items():
            record = records.setdefault(day, SliceRecord())
            evidence[day] = replace(evidence[day], has_news=has_news(record.facts, listing))
            is_late, is_answer = moment < record.seen_at, refusal in ANSWERS
            if is_answer:
                record.answers[moment] = listing, evidence[day]
            if listing and refusal is not Refusal.UNREADABLE:
                if day_number(max(answers)) == day_of(moment) - 1:
                    self.engine.listed_on[self.endpoint].add(day_of(moment))
                self.article_at = instant(moment)
            if is_late:  # another run was faster
                late |= {day: record} if is_answer else {}
                continue
            before, hour = record.coverage, time(READY_HOUR)
            record.coverage = rules.next_coverage(before, dataset, day, evidence[day], chunk, hour)
            if is_answer and not evidence[day].error_kind:
                record.coverage = replace(record.coverage, fetched_at=instant(moment))
            self._log(record, before, day, moment)
        self._reevaluate(late)

    def _reevaluate(self, late: dict[date, SliceRecord]) -> None:
        """Evaluate all answers of days that got an answer out of order, as the load does."""
        account = Account("", self.appid, "", self.appid)
        unreadable = WeixinError(ProblemKind.UNREADABLE)
        seen = [
            StagedAnswer(
                account,
                day,
                evidence,
                error=unreadable if evidence.error_kind else None,
                is_answer=True,
            )
            for day, record in late.items()
            for evidence, _ in record.history()
        ]
        for day, again in evaluate_history(self.process.run.dataset, seen, READY_HOUR)[0].items():
            late[day].coverage = merge_coverage(late[day].coverage, again)

    def _evidence(
        self, day: date, moment: int, refusal: Refusal | None, listing: Listing
    ) -> rules.Evidence:
        """Return the evidence of an answer for the rules."""
        if refusal not in (None, Refusal.IS_DELAY):
            refused = rules.Evidence(
                instant(moment), error_kind=refusal.kind, error_code=refusal.code
            )
            return replace(refused, article_count=len(listing))
        dataset = self.process.run.dataset
        names = sorted(str(id(article)) for article in listing if dataset.item)
        yesterday = day_of(moment) - 1 - day_number(day)
        return rules.Evidence(
            instant(moment),
            " ".join(names).encode() or rules.EMPTY_LIST_SHA256,
            len(listing),
            is_whole=all(len(rows) == dataset.row_days for rows in listing.values()),
            has_yesterday=any(yesterday in rows for rows in listing.values()),
            has_figures=any(listing.values()),
            is_delayed=refusal is Refusal.IS_DELAY,
        )

    def _log(self, record: SliceRecord, before: Coverage, day: date, moment: int) -> None:
        """Log ready, silent and final days for the promises."""
        after, past = record.coverage, day_number(day) + self.process.run.dataset.window
        if after.error_kind in (None, rules.NO_FIGURES_KIND):
            record.ready.append(moment)
            if after.list_sha256 is None and day_of(moment) >= past:
                record.silent_on = day_of(moment)
        if after.settled and not before.settled:
            record.final_at = moment


# ------------------------------------------------------------------------------------- living it


def simulate(calendar: Calendar, by: Engine | None = None) -> Iterator[tuple[Engine, Process]]:
    """
    Execute a calendar, and yield the engine and the run after each step.

    `by` is the engine to use: the in-memory one, unless a `Pipeline` is given.
    """
    engine = by or Engine(calendar)
    for wechat in calendar.wechats.values():
        wechat.wrong_lists.clear()
    lots, number = random.Random(calendar.mornings), itertools.count()
    events: list[tuple[float, int, str, Process | None]] = [
        (moment, next(number), "step", Process(run, killed_after))
        for moment, run, killed_after in calendar.runs
    ]
    events += [(moment, next(number), tasks, None) for moment, tasks in calendar.clears]
    heapq.heapify(events)
    while events:
        moment, _, tasks, process = heapq.heappop(events)
        if process is None:
            ended = [run for run in engine.runs if run.is_red or tasks.startswith(GREEN_TOO)]
            if not ended:
                continue
            process = lots.choice(ended)
            engine.runs.remove(process)
            again = engine.clear(process, int(moment), tasks.removeprefix(GREEN_TOO))
        else:
            again = engine.step(process, int(moment))
        if again is not None:
            heapq.heappush(events, (again, next(number), "step", process))
        yield engine, process


def daily(wechat: WeChat, mornings: int, missed: Collection[int] = (), *more: Start) -> Calendar:
    """Return a calendar of one account: a run at 08:30 on each day not missed, and `more`."""
    dataset = wechat.dataset
    runs = [
        (at(day, 8.5), Run(f"scheduled {day}", dataset, date_of(day), True), None)
        for day in range(mornings + GOOD_MORNINGS)
        if day not in missed
    ]
    return Calendar(mornings, {(dataset.name, "A"): wechat}, [*runs, *more])
