"""
A calendar of runs, and what the pipeline and Airflow make of it, in memory.

A pair's row of coverage is all that the engine decides by, and `rules` decides. The rest is a log
that the promises are held against. `world/pipeline.py` is an engine too, with other verbs.
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
from weixin_etl.run.ingest import IngestResult
from weixin_etl.run.outcome import Outcome
from world.wechat import (
    MIDNIGHT_0,
    STOPS_ACCOUNT,
    TRANSIENT,
    Listing,
    Refusal,
    Rows,
    World,
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
"""Seconds they take, or are waited for."""

ANSWERS = (None, Refusal.IS_DELAY, Refusal.UNREADABLE)
"""What comes with bytes to keep."""

Endpoint = tuple[str, str]
"""Dataset and appid."""
Start = tuple[float, Run, int | None]
"""When a run starts, and after how many calls it is killed."""


@dataclass
class Calendar:
    """What happens; day `mornings` is the first good one, without faults, and three more follow."""

    mornings: int
    worlds: dict[Endpoint, World]
    runs: list[Start]
    connections: list[tuple[str, str | None, float, float]] = field(
        default_factory=lambda: [("a", "A", -inf, inf)]
    )
    """Connection id, its login (None: broken), from, until."""
    clears: list[tuple[float, str]] = field(default_factory=list)
    """When some red run is cleared, or any one if `green `, and which tasks of it."""

    def accounts(self, moment: float) -> dict[str, str | None]:
        """The configured connections, and their logins."""
        return {
            conn: appid for conn, appid, since, until in self.connections if since <= moment < until
        }

    @property
    def last_day(self) -> int:
        """The last good morning."""
        return self.mornings + GOOD_MORNINGS - 1


@dataclass
class Pair:
    """A row of coverage and the answers, and for the promises the log of the ready ones."""

    coverage: Coverage = field(default_factory=Coverage)
    answers: dict[int, tuple[Listing, rules.Evidence]] = field(default_factory=dict)
    """What each answer listed and what the rules look at, by when it came."""
    ready: list[int] = field(default_factory=list)
    """When ready answers came."""
    final_at: float = inf
    silent_on: float = -inf
    """The last day, past its window, on which it was ready and silent."""

    @property
    def seen_at(self) -> float:
        """When its newest answer came."""
        return max(self.answers, default=-inf)

    @property
    def facts(self) -> Listing:
        """Each row as the newest answer that has it gives it."""
        return next((facts for _, facts in reversed([*self.history()])), {})

    def history(self) -> Iterator[tuple[rules.Evidence, Listing]]:
        """What the rules look at of each answer, the oldest first, and the facts after it."""
        facts: Listing = {}
        for _, (listing, evidence) in sorted(self.answers.items()):
            judged = replace(evidence, has_news=has_news(facts, listing))
            for article, rows in listing.items():
                facts = facts | {article: facts.get(article, {}) | rows}
            yield judged, facts

    def is_ready_since(self, instant_: datetime) -> bool:
        """Whether a ready answer came."""
        return bool(self.ready) and instant(self.ready[-1]) >= instant_


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
    """A run on its way through Airflow."""

    run: Run
    killed_after: int | None = None
    begun_at: float = inf
    due: dict[str, Due] = field(default_factory=dict)
    """Of the newest plan, by account."""
    planned_at: datetime = MIDNIGHT_0
    """The newest plan."""
    answered_since: datetime | None = None
    """Its first plan, or the newest one that a person wanted."""
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
        """The planned days of an account."""
        return self.due.get(appid, Due()).days


@dataclass
class Engine:
    """Coverage, the tasks of a run, and Airflow around them."""

    calendar: Calendar
    pairs: dict[Endpoint, dict[date, Pair]] = field(default_factory=lambda: defaultdict(dict))
    since: dict[Endpoint, date] = field(default_factory=dict)
    """The first day that daily runs are to bring in."""
    runs: list[Process] = field(default_factory=list)
    """Those that have ended."""
    listed_on: dict[Endpoint, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Days on which an answer of its chunk of yesterday listed an article."""
    heard_on: dict[Endpoint, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Days whose plan knew of an article that was listed on that day or the one before."""

    def coverage(self, endpoint: Endpoint) -> dict[date, Coverage]:
        """An endpoint's rows."""
        return {day: pair.coverage for day, pair in self.pairs[endpoint].items()}

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
                attempts |= {pair.attempted_at for pair in self.coverage(endpoint).values()}
        is_after = instant(moment) in attempts  # what another run heard then is asked for again
        process.planned_at = instant(moment) + timedelta(microseconds=is_after)

    def due(self, run: Run, appid: str, today: date) -> Due:
        """What a run asks an account for."""
        endpoint = run.dataset.name, appid
        since = self.since.get(endpoint, today - rules.DAY * run.dataset.window)
        return rules.due_days(
            run.dated(today), today, self.coverage(endpoint), since, CATCH_UP_DAYS
        )

    def ingest(self, process: Process, moment: int) -> int:
        """Ask for what is not in, account by account; when it ends."""
        kills = process.kills
        for appid in process.due:
            moment = self._account(process, appid, moment)
            if process.kills > kills:
                break
        return moment

    def check(self, process: Process, moment: int) -> None:
        """Give the run its colour."""
        process.is_red = bool(self.outcome(process, moment).problems() or process.unplannable)

    def outcome(self, process: Process, moment: int = 0, *appids: str) -> Outcome:
        """What came of the plan, of some accounts or of all."""
        planned = [
            PlannedAccount(appid, appid, appid, process.planned_at, due)
            for appid, due in process.due.items()
            if appid in (appids or process.due)
        ]
        known = {
            (account.appid, day): pair
            for account in planned
            for day, pair in self.coverage((process.run.dataset.name, account.appid)).items()
            if day in account.due.days
        }
        used_up = {
            appid: pair
            for (appid, _), pair in known.items()
            if rules.is_quota_used_up(pair, process.planned_at, instant(moment))
        }
        return Outcome(process.run, planned, known, dict.fromkeys(process.due, inf), used_up)

    def not_in(self, process: Process) -> list[tuple[str, date]]:
        """The planned pairs that hold a run back."""
        outcome = self.outcome(process)
        return [
            (account.appid, day)
            for account, day, pair in outcome.pairs()
            if outcome.fails_run(account, pair)
        ]

    # ---------------------------------------------------------------------- asking and judging

    def _account(self, process: Process, appid: str, moment: int) -> int:
        """Ask for an account's days, chunk by chunk."""
        asking, outcome = Asking(self, process, appid, moment), self.outcome(process, moment, appid)
        if appid not in self.calendar.accounts(moment).values():
            asking.stopped = Refusal.NO_CONNECTION
        for chunk in outcome.chunks(outcome.accounts[0]):
            if not asking.chunk(chunk):
                break
        return asking.moment

    # ------------------------------------------------------------------------------- Airflow

    def step(self, process: Process, moment: int) -> int | None:
        """One try, the first with its plan; when the next one is, or None after the check."""
        if process.tries == 0:
            self._plan_logged(process, moment)
            moment += PLAN
        kills = process.kills
        moment = self.ingest(process, moment)
        process.tries += 1
        result = IngestResult(self.outcome(process, moment).problems(), set())
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

    def _plan_logged(self, process: Process, moment: int) -> None:
        process.begun_at = min(process.begun_at, moment)
        self.plan(process, moment)
        process.answered_since = process.answered_since or process.planned_at
        process.was_daily = rules.is_daily(process.run, date_of(day_of(moment)))
        for appid in process.due if process.was_daily else ():
            endpoint = process.run.dataset.name, appid
            heard = rules.last_article_at(self.coverage(endpoint).values())
            if heard and heard >= instant(at(process.day - 1)):
                self.heard_on[endpoint].add(process.day)

    def clear(self, process: Process, moment: int, tasks: str) -> int | None:
        """As an operator does: `all` tasks, those from `ingest` on, or `check` alone."""
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
    """One try of one account."""

    engine: Engine
    process: Process
    appid: str
    moment: int
    stopped: Refusal | None = None
    refused: int = 0
    """Refusals in a row that stop the account when there are too many."""
    heard_at: datetime | None = None
    """When a chunk of the try last listed an article, ready or not."""

    @property
    def endpoint(self) -> Endpoint:
        """Whom it asks."""
        return self.process.run.dataset.name, self.appid

    def chunk(self, days: Sequence[date]) -> bool:
        """Ask, merge and judge some days together; whether the try goes on."""
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
        """Call, unless a refusal has stopped the account; the clock goes on."""
        if self.stopped is not None:
            return self.stopped, {}
        self.moment += CALL
        world = self.engine.calendar.worlds[self.endpoint]
        refusal, listing = world.call(day_number(day), self.moment)
        self.process.calls[self.appid, day] += 1
        age = day_of(self.moment) - day_number(day)
        counts = refusal in TRANSIENT or (refusal is Refusal.OFFLINE and age > world.dataset.window)
        self.refused = self.refused + 1 if counts else 0
        if refusal in STOPS_ACCOUNT or self.refused == rules.OUTAGES_BEFORE_STOP:
            self.stopped = refusal
        return refusal, listing

    def _commit(self, answers: dict[date, tuple[int, Refusal | None, Listing]]) -> None:
        """Merge and judge what has come."""
        dataset, pairs = self.process.run.dataset, self.engine.pairs[self.endpoint]
        evidence = {day: self._evidence(day, *answer) for day, answer in answers.items()}
        known = rules.last_article_at(pair.coverage for pair in pairs.values())
        heard = max((at for at in (known, self.heard_at) if at), default=None)
        together = {day: found for day, found in evidence.items() if not found.error_kind}
        chunk, late = rules.ChunkEvidence(together, heard, dataset.window), dict[date, Pair]()
        for day, (moment, refusal, listing) in answers.items():
            pair = pairs.setdefault(day, Pair())
            evidence[day] = replace(evidence[day], has_news=has_news(pair.facts, listing))
            is_late, is_answer = moment < pair.seen_at, refusal in ANSWERS
            if is_answer:
                pair.answers[moment] = listing, evidence[day]
            if listing and refusal is not Refusal.UNREADABLE:
                if day_number(max(answers)) == day_of(moment) - 1:
                    self.engine.listed_on[self.endpoint].add(day_of(moment))
                self.heard_at = instant(moment)
            if is_late:  # another run was faster
                late |= {day: pair} if is_answer else {}
                continue
            before, hour = pair.coverage, time(READY_HOUR)
            pair.coverage = rules.next_coverage(before, dataset, day, evidence[day], chunk, hour)
            if is_answer and not evidence[day].error_kind:
                pair.coverage = replace(pair.coverage, fetched_at=instant(moment))
            self._log(pair, before, day, moment)
        self._judge_again(late)

    def _judge_again(self, late: dict[date, Pair]) -> None:
        """Judge all answers of days of which a late one has come, as the load does."""
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
            for day, pair in late.items()
            for evidence, _ in pair.history()
        ]
        for day, again in evaluate_history(self.process.run.dataset, seen, READY_HOUR)[0].items():
            late[day].coverage = merge_coverage(late[day].coverage, again)

    def _evidence(
        self, day: date, moment: int, refusal: Refusal | None, listing: Listing
    ) -> rules.Evidence:
        """What the rules look at."""
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

    def _log(self, pair: Pair, before: Coverage, day: date, moment: int) -> None:
        """For the promises."""
        after, past = pair.coverage, day_number(day) + self.process.run.dataset.window
        if after.error_kind in (None, rules.NO_FIGURES_KIND):
            pair.ready.append(moment)
            if after.list_sha256 is None and day_of(moment) >= past:
                pair.silent_on = day_of(moment)
        if after.settled and not before.settled:
            pair.final_at = moment


# ------------------------------------------------------------------------------------- living it


def live(calendar: Calendar, by: Engine | None = None) -> Iterator[tuple[Engine, Process]]:
    """Live through a calendar, a step at a time: by the rules, or by the real `Pipeline`."""
    engine = by or Engine(calendar)
    for world in calendar.worlds.values():
        world.told.clear()
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


def daily(world: World, mornings: int, missed: Collection[int] = (), *more: Start) -> Calendar:
    """A calendar of one account: its runs at 08:30 but for those missed, and more runs."""
    dataset = world.dataset
    runs = [
        (at(day, 8.5), Run(f"scheduled {day}", dataset, date_of(day), True), None)
        for day in range(mornings + GOOD_MORNINGS)
        if day not in missed
    ]
    return Calendar(mornings, {(dataset.name, "A"): world}, [*runs, *more])
