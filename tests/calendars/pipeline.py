"""
A calendar of runs, and what the pipeline and Airflow make of it.

The pipeline plans, asks, loads and is tried again as the real one; each rule is a call of `rules`.
"""

import heapq
import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from math import inf
from typing import NamedTuple

from calendars.worlds import (
    MIDNIGHT_0,
    STOPS_ACCOUNT,
    TRANSIENT,
    Article,
    Listing,
    Refusal,
    World,
    at,
    date_of,
    day_number,
    day_of,
    instant,
)
from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset, Day
from weixin_etl.model import AttemptState, Coverage, PairState, PlannedPair, Run, Summary

READY_HOUR, CATCH_UP_DAYS = 10, 60
GOOD_MORNINGS = 4
QUICK_TRIES = 3
GREEN_TOO = "green "
CALL, PLAN, CHECK, QUICK_TRY = 3, 60, 12, 120
"""Seconds they take, or are waited for."""

Endpoint = tuple[str, str]
"""Dataset and appid."""
Pair = tuple[str, date]
"""appid and publication day."""


class Purpose(NamedTuple):
    """Why a pair is planned, beside being due."""

    is_probe: bool = False
    is_witness: bool = False


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
class Known:
    """What the warehouse has of a pair, and the log of its answers."""

    coverage: Coverage
    listed: Collection[Article] = ()
    """In the newest answer."""
    facts: Listing = field(default_factory=dict)
    evidence: rules.Evidence = field(default_factory=rules.Evidence)
    rested_at: float = -inf
    """When it was last found to rest."""
    ready_at: list[int] = field(default_factory=list)
    """When answers came that were judged ready, and that WeChat called complete."""
    asked_at: float = -inf
    final_at: float = inf
    inferred_at: int | None = None
    """When the last attempt was, if it only lacked rows."""

    def is_whole(self, window: int) -> bool:
        """Whether every article that was ever listed has all its rows."""
        return all(len(rows) == window for rows in self.facts.values())

    def is_ready_since(self, moment: datetime) -> bool:
        """Whether a ready answer came."""
        return bool(self.ready_at) and instant(self.ready_at[-1]) >= moment


@dataclass(eq=False)
class Process:
    """A run on its way through Airflow."""

    run: Run
    killed_after: int | None = None
    begun_at: float = inf
    pairs: dict[Pair, Purpose] = field(default_factory=dict)
    """Of the newest plan."""
    planned_at: datetime = MIDNIGHT_0
    """The newest plan."""
    cleared_at: datetime | None = None
    """When a person cleared its plan last."""
    first_planned_at: dict[Pair, datetime] = field(default_factory=dict)
    states: dict[Pair, tuple[PairState, bool]] = field(default_factory=dict)
    """Of each, and whether it is retryable."""
    unplannable: list[str] = field(default_factory=list)
    lost: dict[str, list[date]] = field(default_factory=dict)
    """Of each planned account."""
    calls: Counter[Pair] = field(default_factory=Counter)
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
        return [day for owner, day in self.pairs if owner == appid]


# --------------------------------------------------------------------------------------- pipeline


OnCheck = Callable[["Pipeline", Process, int, list[PlannedPair]], None]
"""Gets the run, the day of its check, and what holds it back."""


@dataclass
class Pipeline:
    """The warehouse, the tasks, and Airflow around them."""

    calendar: Calendar
    on_check: OnCheck
    known: dict[Endpoint, dict[date, Known]] = field(default_factory=lambda: defaultdict(dict))
    first_daily: dict[Endpoint, date] = field(default_factory=dict)
    calls: list[tuple[str, str, date, int]] = field(default_factory=list)
    spoken: dict[Endpoint, set[int]] = field(default_factory=lambda: defaultdict(set))
    """Days on which an answer listed an article."""

    def plan(self, process: Process, moment: int) -> None:
        """Replace the run's plan."""
        run, today = process.run, date_of(day_of(moment))
        process.begun_at = min(process.begun_at, moment)
        process.planned_at = instant(moment)
        process.pairs, process.unplannable, process.lost = {}, [], {}
        for conn_id, appid in self.calendar.accounts(moment).items():
            if appid is None:
                process.unplannable.append(conn_id)
            elif not run.accounts or appid in run.accounts:
                due = self.due(run, appid, today)
                process.lost[appid] = due.lost
                spare = -inf if self._is_quota_used_up(run.dataset, appid, moment) else inf
                stays_open = rules.is_daily(run, today)  # else it is this run's all the same
                for day in due.days:
                    if not (stays_open and rules.is_held_back(run, day, spare, today)):
                        self._plan_pair(process, (appid, day), due)

    def _is_quota_used_up(self, dataset: Dataset, appid: str, moment: int) -> bool:
        warehouse = self.known[dataset.name, appid]
        return any(
            it.coverage.next_attempt_at and it.coverage.next_attempt_at > instant(moment)
            for it in warehouse.values()
        )

    def due(self, run: Run, appid: str, today: date) -> rules.Due:
        endpoint = run.dataset.name, appid
        coverage = {day: known.coverage for day, known in self.known[endpoint].items()}
        if rules.is_daily(run, today):
            self.first_daily.setdefault(endpoint, run.today)
        first_daily = self.first_daily.get(endpoint, today)
        days = rules.concerned(run, first_daily, today).newest_first()
        present = rules.present_window(run.dataset, today)
        known = {
            day: it
            for day, it in ({day: Coverage(day) for day in days} | coverage).items()
            if day in present or day in days or (it.ready_at and not it.is_final)
        }
        due = rules.due(
            run,
            first_daily_date=first_daily,
            today=today,
            known=known,
            last_errcodes=self._last_errcodes(run.dataset, coverage),
            catch_up_days=CATCH_UP_DAYS,
        )
        if rules.lacks_witness(run, due, known, today):
            witness = min(
                (
                    (it.asked_at, -day_number(day), day)
                    for day, it in self.known[endpoint].items()
                    if it.facts and it.coverage.ready_at and day not in due.days
                ),
                default=None,
            )
            if witness:
                days = sorted([*due.days, witness[2]], reverse=True)
                return replace(due, days=days, witness=witness[2])
        return due

    @staticmethod
    def _last_errcodes(dataset: Dataset, coverage: Mapping[date, Coverage]) -> set[int | None]:
        asked = {day: it.error_code for day, it in coverage.items() if it.attempt_state}
        newest = max(asked, default=date.min)
        return {code for day, code in asked.items() if (newest - day).days < dataset.window}

    def planned(self, process: Process) -> list[PlannedPair]:
        """The pairs of the newest plan."""
        return [
            PlannedPair(
                appid,
                appid,
                appid,
                day,
                process.planned_at,
                *purpose,
                *process.states[appid, day],
                self.known[process.run.dataset.name, appid][day].coverage,
            )
            for (appid, day), purpose in process.pairs.items()
        ]

    def ingest(self, process: Process, moment: int, *, by_itself: bool) -> tuple[int, bool]:
        """Ask for what is to be asked, account by account: when it ends, and if it was killed."""
        asked: dict[str, list[date]] = defaultdict(list)
        for pair in self.planned(process):
            if rules.is_to_be_asked(pair, refetch=process.run.refetch, by_itself=by_itself):
                asked[pair.appid].append(pair.publication_date)
        kills = process.kills
        for appid, days in asked.items():
            moment = self._account(process, appid, days, moment)
            pairs = [pair for pair in self.planned(process) if pair.appid == appid]
            if process.kills == kills and any(map(rules.is_back, pairs)):
                more = self._plan_more(process, appid, moment)
                moment = self._account(process, appid, more, moment)
        return moment, process.kills > kills

    def _plan_more(self, process: Process, appid: str, moment: int) -> list[date]:
        """The open days of an account whose endpoint is back."""
        due = self.due(process.run, appid, date_of(day_of(moment)))
        days = [day for day in due.days if (appid, day) not in process.pairs]
        for day in days:
            self._plan_pair(process, (appid, day), due)
        return days

    def _plan_pair(self, process: Process, pair: Pair, due: rules.Due) -> None:
        process.pairs[pair] = Purpose(due.is_probe, pair[1] == due.witness)
        process.first_planned_at.setdefault(pair, process.planned_at)
        process.states[pair] = PairState.PLANNED, True
        self.known[process.run.dataset.name, pair[0]].setdefault(pair[1], Known(Coverage(pair[1])))

    def _account(self, process: Process, appid: str, days: list[date], moment: int) -> int:
        endpoint = process.run.dataset.name, appid
        warehouse, world = self.known[endpoint], self.calendar.worlds[endpoint]
        stopped: Refusal | None = None
        if appid not in self.calendar.accounts(moment).values():
            stopped = Refusal.NO_CONNECTION
        elif not process.run.refetch and self._is_quota_used_up(process.run.dataset, appid, moment):
            stopped = Refusal.QUOTA
        answers: list[tuple[date, int, Refusal | None, Listing]] = []
        outages: list[Refusal] = []
        for day in days:
            if stopped is not None:
                self._refused(process, (appid, day), stopped, moment)
                continue
            if process.killed_after == process.calls.total():
                process.killed_after, process.kills = None, process.kills + 1
                if len(answers) % 2:
                    answers = []  # before the commit
                break
            moment += CALL
            refusal, listing = world.call(day_number(day), moment)
            warehouse[day].asked_at = moment
            process.calls[appid, day] += 1
            self.calls.append((*endpoint, day, moment))
            if refusal is None or refusal is Refusal.IS_DELAY:
                answers.append((day, moment, refusal, listing))
                outages = []
                continue
            self._refused(process, (appid, day), refusal, moment)
            kind = Refusal.UNREACHABLE if refusal in TRANSIENT else refusal
            present = rules.present_window(process.run.dataset, date_of(day_of(moment)))
            is_gone = kind is Refusal.OFFLINE and day not in present
            if kind is Refusal.UNREACHABLE or is_gone:
                outages = [*(outages if kind in outages else []), kind]
            else:
                outages = []
            if kind in STOPS_ACCOUNT or len(outages) == rules.REFUSALS_THAT_STOP:
                stopped = refusal
        self._load(process, appid, answers)
        return moment

    def _load(
        self,
        process: Process,
        appid: str,
        answers: list[tuple[date, int, Refusal | None, Listing]],
    ) -> None:
        """Load what an account answered in a try, then judge each answer by all of them."""
        dataset, warehouse = process.run.dataset, self.known[process.run.dataset.name, appid]
        for day, moment, _, listing in answers:
            known = warehouse[day]
            known.listed = list(listing)
            if listing:
                self.spoken[dataset.name, appid].add(day_of(moment))
            known.coverage = replace(
                known.coverage, fetched_at=instant(moment), lists_articles=bool(listing)
            )
            for article, rows in listing.items():
                known.facts[article] = known.facts.get(article, {}) | rows
        counting = {
            yesterday: self._counting(dataset, appid, yesterday)
            for yesterday in {day_of(moment) - 1 for _, moment, _, _ in answers}
        }
        speaking = {
            clock.beijing_date(it.coverage.fetched_at)
            for it in warehouse.values()
            if it.listed and it.coverage.fetched_at
        }
        for day, moment, refusal, listing in answers:
            known, fetched_at = warehouse[day], instant(moment)
            listed = " ".join(sorted(str(id(article)) for article in listing)).encode()
            answer = Summary(fetched_at, listed, not listing, refusal is Refusal.IS_DELAY)
            if dataset.day is Day.STATISTICS:
                verdict = rules.verdict_of_statistics(
                    dataset, day, answer, known.evidence, ready_hour=READY_HOUR
                )
            else:
                verdict = rules.verdict(
                    dataset,
                    day,
                    answer,
                    known.evidence,
                    counting=counting[day_of(moment) - 1],
                    is_whole=known.is_whole(dataset.window),
                    speaks=date_of(day_of(moment)) in speaking,
                    ready_hour=READY_HOUR,
                )
            known.evidence = verdict.evidence
            if not verdict.is_ready:
                self._attempted(process, (appid, day), PairState.NOT_READY)
                is_inferred = refusal is None and dataset.can_be_empty
                known.inferred_at = moment if is_inferred else None
                continue
            if verdict.is_final and not known.coverage.is_final:
                known.final_at = moment
            if verdict.evidence.is_resting:
                known.rested_at = moment
            if refusal is None:
                known.ready_at.append(moment)
            is_final = known.coverage.is_final or verdict.is_final
            is_resting = verdict.evidence.is_resting and not is_final
            facts = {"ready_at": fetched_at, "is_final": is_final, "is_resting": is_resting}
            self._attempted(process, (appid, day), PairState.LOADED, **facts)
        self._wake(warehouse, [moment for _, moment, _, listing in answers if listing])

    def _wake(self, warehouse: dict[date, Known], heard: list[int]) -> None:
        """An article was listed: whatever was answered before does not rest any more."""
        for known in warehouse.values() if heard else ():
            coverage = known.coverage
            is_later = coverage.fetched_at and coverage.fetched_at < instant(max(heard))
            if coverage.is_resting and (is_later or known.listed):
                known.coverage = replace(coverage, is_resting=False)
                known.evidence = replace(known.evidence, is_resting=False)

    def _counting(self, dataset: Dataset, appid: str, yesterday: int) -> rules.StillCounting:
        listed = {
            day: [n in known.facts[article] for article in known.listed]
            for n in range(dataset.window)
            for day in [date_of(yesterday - n)]
            if (known := self.known[dataset.name, appid].get(day)) and known.listed
        }
        return rules.StillCounting(listed, any(map(any, listed.values())))

    def _refused(self, process: Process, pair: Pair, refusal: Refusal, moment: int) -> None:
        is_not_ready = refusal is Refusal.NOT_READY
        self.known[process.run.dataset.name, pair[0]][pair[1]].asked_at = moment
        rest = {"next_attempt_at": rules.next_attempt_at(instant(moment))}
        self._attempted(
            process,
            pair,
            PairState.NOT_READY if is_not_ready else PairState.FAILED,
            is_retryable=is_not_ready or refusal in TRANSIENT,
            error_code=refusal,
            **(rest if refusal is Refusal.QUOTA else {}),
        )

    def _attempted(
        self,
        process: Process,
        pair: Pair,
        state: PairState,
        *,
        is_retryable: bool = True,
        **facts: object,
    ) -> None:
        known = self.known[process.run.dataset.name, pair[0]][pair[1]]
        attempt = AttemptState.OK if state is PairState.LOADED else AttemptState(state.value)
        facts = {"error_code": None, "attempt_state": attempt} | facts
        known.coverage = replace(known.coverage, **facts)
        known.inferred_at = None
        process.states[pair] = state, is_retryable

    def check(self, process: Process, moment: int) -> None:
        """Give the run its colour."""
        held = [p for p in self.planned(process) if rules.makes_red(p, process.run)]
        process.is_red = bool(held or process.unplannable)
        self.on_check(self, process, day_of(moment), held)

    def step(self, process: Process, moment: int) -> int | None:
        """One try, the first with its plan; when the next one is, or None after the check."""
        is_first = process.tries == 0
        if is_first:
            self.plan(process, moment)
            moment += PLAN
        moment, is_killed = self.ingest(process, moment, by_itself=not is_first)
        process.tries += 1
        missing = [
            pair
            for pair in self.planned(process)
            if not rules.is_in(pair.coverage, pair.planned_at, refetch=process.run.refetch)
        ]
        states = {(pair.state, pair.is_retryable) for pair in missing}
        if (is_killed or (PairState.FAILED, True) in states) and process.quick_tries < QUICK_TRIES:
            process.quick_tries += 1
            return moment + QUICK_TRY * 2 ** (process.quick_tries - 1)
        again = rules.asks_again_at(process.run, instant(moment))
        if again and (PairState.NOT_READY, True) in states:
            return round((again - MIDNIGHT_0).total_seconds())
        self.check(process, moment + CHECK)
        return None

    def clear(self, process: Process, moment: int, tasks: str) -> int | None:
        """As an operator does: `all` tasks, those from `ingest` on, or `check` alone."""
        process.is_cleared = True
        if tasks == "all":
            process.cleared_at = instant(moment)
        if tasks != "check":
            process.quick_tries = 0
        if tasks == "all":
            process.tries = 0
            return self.step(process, moment)
        if tasks == "ingest":
            moment, _ = self.ingest(process, moment, by_itself=False)
        self.check(process, moment + CHECK)
        return None


def live(
    calendar: Calendar,
    on_check: OnCheck = lambda *_: None,
    only: str | None = None,
    pipeline: Pipeline | None = None,
) -> tuple[Pipeline, list[Process]]:
    """Live through a calendar, or through its runs of one dataset; the runs as they ended."""
    pipeline, done = pipeline or Pipeline(calendar, on_check), list[Process]()
    for world in calendar.worlds.values():
        world.told.clear()
    lots, number = random.Random(calendar.mornings), itertools.count()
    events: list[tuple[float, int, str, Process | None]] = [
        (moment, next(number), "step", Process(run, killed_after))
        for moment, run, killed_after in calendar.runs
        if only in (None, run.dataset.name)
    ]
    events += [(moment, next(number), tasks, None) for moment, tasks in calendar.clears]
    heapq.heapify(events)
    while events:
        moment, _, tasks, process = heapq.heappop(events)
        if process is None:
            ended = [it for it in done if it.is_red or tasks.startswith(GREEN_TOO)]
            if not ended:
                continue
            process = lots.choice(ended)
            done.remove(process)
            again = pipeline.clear(process, int(moment), tasks.removeprefix(GREEN_TOO))
        else:
            again = pipeline.step(process, int(moment))
        if again is None:
            done.append(process)
        else:
            heapq.heappush(events, (again, next(number), "step", process))
    return pipeline, done


def daily(world: World, mornings: int, missed: Collection[int] = (), *more: Start) -> Calendar:
    """A calendar of one account: its runs at 08:30 but for those missed, and more runs."""
    dataset = world.dataset
    runs = [
        (at(day, 8.5), Run(f"scheduled {day}", dataset, date_of(day), True), None)
        for day in range(mornings + GOOD_MORNINGS)
        if day not in missed
    ]
    return Calendar(mornings, {(dataset.name, "A"): world}, [*runs, *more])
