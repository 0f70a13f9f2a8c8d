"""
What must be true after any calendar: the promises C1 to C10.

`broken_promises` executes a calendar with the rules, and compares the log of answers with what the
simulated WeChat shows. A *good morning* is one without faults; a calendar ends with four of them.
The *reach* is the range of days that daily runs still ask for.

    C1  Every day within reach is loaded with all that WeChat shows, from the first day that daily
        runs collect.
    C2  Asking ends. Three days after its window a day that was ever answered is settled or silent.
        The fourth good morning asks for no older day. Beyond the window and the day after it, it
        asks only for days that lack rows. A retired endpoint costs one call a morning.
    C3  A green run has an answer for every planned account-day: it is settled, or a ready answer
        came since the run was planned, or since an operator cleared its plan. A run is never red
        because of an account-day that has its answer.
    C4  No final day differs from what WeChat shows in the end, unless WeChat corrected it later
        than on the day after the window.
    C5  No account-day costs more calls than the tries of a run.
    C6  A red run that is cleared after the good mornings becomes green. If other runs collected
        all its days, clearing its check is enough.
    C8  Open days beyond the reach that were never answered are reported as lost. One run with
        their dates, and two mornings, end that.
    C9  An account without articles costs its window each morning, and no more.
    C10 Every day that was answered or is within reach is final, silent, due or lost. Nothing that
        WeChat shows, or that it showed for a whole honest day, is missing from a final or silent
        day.

Exceptions. C2 does not cover a day that an operator asked for on the last two mornings. C1, C2 and
C8 do not cover a day whose list changed on a good morning (`changed_late`). If no answer of the
account listed an article on the second and third good morning (`is_quiet`), they do not cover days
that a later answer opened again. Nothing is promised of a silent account of which no article that
was ever listed is left: it cannot be told from an account that publishes nothing.
"""

from collections.abc import Iterator
from datetime import date
from functools import cached_property
from math import inf

from weixin_etl import rules
from weixin_etl.model import Due, Run, State
from world.simulation import (
    CATCH_UP_DAYS,
    QUICK_TRIES,
    Calendar,
    Endpoint,
    Engine,
    Process,
    SliceRecord,
    simulate,
)
from world.wechat import Article, WeChat, at, date_of, day_number, instant

HOUR = 3600
MOST_TRIES = QUICK_TRIES + 8
"""The most tries of a scheduled run: one each half hour until noon, and quick retries."""


def broken_promises(calendar: Calendar) -> list[str]:
    """Execute the calendar, and return the promises that are broken."""
    engine, broken = Engine(calendar), []
    for _, process in simulate(calendar, engine):
        if engine.runs and engine.runs[-1] is process:
            broken += [f"C3 {breach}: {process.run.run_id}" for breach in colour(engine, process)]
    broken += [*final(engine), *calls(engine), *retired(engine)]
    reds = [process for process in engine.runs if process.is_red]
    for (dataset, appid), wechat in calendar.wechats.items():
        is_there = appid in calendar.accounts(at(calendar.mornings, 8)).values()
        if is_there and wechat.retired_at == inf and not wechat.is_blank_for_good:
            ending = Ending(engine, (dataset, appid))
            broken += [f"{breach} {dataset} {appid}" for breach in ending.broken()]
    return [*broken, *repair(engine, reds)]  # it goes on with more runs, so it comes last


# -------------------------------------------------------------------------------- of any run


def colour(engine: Engine, process: Process) -> Iterator[str]:
    """Yield breaches of C3 at a run's check."""
    run, held_back = process.run, set(engine.not_in(process))
    if not process.is_red and process.unplannable:
        yield "green, an account not planned"
    for appid, due in process.due.items():
        for day in process.days(appid):
            record = engine.records[run.dataset.name, appid].get(day, SliceRecord())
            is_in = record.is_ready_since(process.answered_since or process.planned_at)
            is_settled = record.coverage.settled and not run.refetch
            is_retirement_check = (
                due.is_retirement_check and record.coverage.error_code == rules.OFFLINE_ERRCODE
            )
            if (appid, day) not in held_back:
                if not (is_in or is_settled or is_retirement_check):
                    yield f"green, not in: {day}"
            elif (
                record.is_ready_since(process.planned_at) and record.coverage.settled != "given_up"
            ):
                yield f"red for a slice that is in: {day}"


def final(engine: Engine) -> Iterator[str]:
    """Yield breaches of C4."""
    for endpoint, records in engine.records.items():
        wechat = engine.calendar.wechats[endpoint]
        in_the_end = at(engine.calendar.last_day + wechat.dataset.window + 8)
        for day, record in records.items():
            for article in wechat.articles.get(day_number(day), ()):
                is_final = (
                    record.coverage.settled == "final" and record.final_at < article.deleted_at
                )
                is_final &= not is_corrected_later(article, record.final_at, wechat)
                if is_final and record.facts.get(article, {}) != wechat.rows(article, in_the_end):
                    yield f"C4 final, not whole: {day} {endpoint}"


def is_corrected_later(article: Article, final_at: float, wechat: WeChat) -> bool:
    """Return whether a total was too low until the second day after the window, or later."""
    too_late = at(article.day + wechat.dataset.window + 1)
    return any(end > final_at >= too_late for _, end, *_ in article.premature)


def calls(engine: Engine) -> Iterator[str]:
    """Yield breaches of C5."""
    for process in engine.runs:
        most = MOST_TRIES if process.run.is_scheduled else 1 + QUICK_TRIES
        if not process.is_cleared and any(count > most for count in process.calls.values()):
            yield f"C5 a slice: {process.run.run_id}"


def retired(engine: Engine) -> Iterator[str]:
    """Yield breaches of C2 by retired endpoints."""
    # an account whose figures can never be read makes every run red, whatever the others do
    is_unreadable = any(wechat.is_blank_for_good for wechat in engine.calendar.wechats.values())
    for (dataset, appid), wechat in engine.calendar.wechats.items():
        if wechat.retired_at < at(engine.calendar.mornings, 8):
            for process in engine.runs:
                is_good = process.run.is_scheduled and process.day > engine.calendar.mornings
                is_asked = is_good and process.run.dataset.name == dataset and process.days(appid)
                is_red = process.is_red and not is_unreadable
                if is_asked and (is_red or len(process.days(appid)) > 1):
                    yield f"C2 retired, yet red or asked: {process.run.run_id}"


def repair(engine: Engine, reds: list[Process]) -> Iterator[str]:
    """Clear each red run in a way that can help, and yield breaches of C6."""
    day, wechats = engine.calendar.last_day + 3, engine.calendar.wechats
    present = set(engine.calendar.accounts(at(day, 10)).values())
    for number, process in enumerate(reds):
        dataset, appids = process.run.dataset.name, set(process.due)
        is_retired = {a for of, a in wechats if of == dataset and wechats[of, a].retired_at < inf}
        if is_retired and process.run.names_dates:
            continue  # WeChat does not have them any more
        blank = {a for of, a in wechats if of == dataset and wechats[of, a].is_blank_for_good}
        if blank & (appids | present):
            continue  # what WeChat answers can't be read any more
        tasks = ("all", "ingest", "check")[number % 3]
        if process.unplannable or appids & is_retired or not appids <= present:
            tasks = "all"
        elif any(gave_up(engine, process)):
            tasks = "all"  # a new plan leaves out what an earlier one has found unreadable
        elif tasks == "check" and engine.not_in(process):
            tasks = "ingest"
        again = engine.clear(process, at(day, 15), tasks)
        if (again and is_red_after(engine, process, again)) or process.is_red:
            yield f"C6 cleared ({tasks}), still red: {process.run.run_id}"


def gave_up(engine: Engine, process: Process) -> Iterator[bool]:
    """Yield, for each planned account-day, whether an answer since the plan was given up."""
    for account, _, coverage in engine.outcome(process).slices():
        yield rules.was_given_up_since(coverage, account.planned_at)


def is_red_after(engine: Engine, process: Process, moment: int) -> bool:
    """Execute the run from the moment on, and return whether it is red in the end."""
    again: int | None = moment
    while again is not None:
        again = engine.step(process, again)
    return process.is_red


# ----------------------------------------------------------------------------- of an account


class Ending:
    """
    An account at an endpoint after the good mornings.

    The account is still collected, and the endpoint is not retired.
    """

    def __init__(self, engine: Engine, endpoint: Endpoint) -> None:
        self.engine, self.endpoint = engine, endpoint
        self.calendar, self.wechat = engine.calendar, engine.calendar.wechats[endpoint]
        self.window, self.last = self.wechat.dataset.window, engine.calendar.last_day
        self.records = engine.records[endpoint]
        self.first = day_number(engine.since[endpoint])
        """The first day that daily runs collect."""
        self.catch_up_start = max(self.first, self.calendar.mornings - self.window - CATCH_UP_DAYS)
        self.next_catch_up_start = max(self.first, self.last + 1 - self.window - CATCH_UP_DAYS)
        self.scheduled = [
            process
            for process in engine.runs
            if process.run.dataset.name == endpoint[0] and process.run.is_scheduled
        ]
        self.last_run = next(process for process in self.scheduled if process.day == self.last)
        self.by_hand = {
            day_number(day)
            for process in engine.runs
            if not process.run.is_scheduled and process.begun_at >= at(self.last - 1) - HOUR
            for day in process.days(endpoint[1])
            if process.run.dataset.name == endpoint[0]
        }
        good = {self.calendar.mornings + 1, self.calendar.mornings + 2}
        self.is_quiet = not good <= engine.listed_on[endpoint] & engine.known_on[endpoint]
        self.answered = {day_number(day) for day, record in self.records.items() if record.ready}

    def broken(self) -> Iterator[str]:
        """Yield the breaches. C8 comes last because it executes more runs."""
        yield from self.whole_facts()
        yield from self.asking_ends()
        yield from self.nothing_forgotten()
        yield from self.nothing_final_too_early()
        yield from self.silence()
        yield from self.lost()

    # ---------------------------------------------------------------------- what is known

    def record(self, day: int) -> SliceRecord:
        """Return the day's coverage and answers."""
        return self.records.get(date_of(day), SliceRecord())

    @cached_property
    def last_article_at(self) -> object:
        """The time of the last answer that listed an article."""
        return rules.last_article_at(record.coverage for record in self.records.values())

    def state(self, day: int) -> State:
        """Return the day's state on the morning after the last one."""
        now, start = instant(at(self.last + 1, 8.5)), date_of(self.next_catch_up_start)
        coverage, dataset = self.record(day).coverage, self.wechat.dataset
        return rules.state_of(
            dataset,
            date_of(day),
            coverage,
            is_ended=False,
            catch_up_start=start,
            last_article_at=self.last_article_at,
            newest_date=rules.newest_date(record.coverage for record in self.records.values()),
            now=now,
        )

    def has_ended(self, day: int) -> bool:
        """Return whether the day is not asked for again."""
        return self.state(day) in (State.FINAL, State.SILENT) or self.is_given_up(day)

    def is_given_up(self, day: int) -> bool:
        """Return whether the day is given up rightly: none of its articles had a figure then."""
        record = self.record(day)
        has_none = not any(
            rows for article, rows in record.facts.items() if article.deleted_at > record.final_at
        )
        return self.state(day) is State.GIVEN_UP and (has_none or bool(self.wechat.blank))

    def due(self, today: int) -> set[date]:
        """Return the days that the morning asks for, without a settled control day."""
        run = Run("next", self.wechat.dataset, date_of(today), is_scheduled=True)
        due = self.engine.due(run, self.endpoint[1], run.today)
        return {*due.days} - self.settled_control_day(due)

    def settled_control_day(self, due: Due) -> set[date]:
        """Return the control day if it is settled."""
        is_settled = due.control_day and self.records[due.control_day].coverage.settled
        return {due.control_day} if is_settled else set()

    @cached_property
    def due_next(self) -> set[int]:
        """The days that the next morning asks for, and those that are lost by then."""
        return {*map(day_number, self.due(self.last + 1)), *self.called_lost()}

    def called_lost(self) -> list[int]:
        """Return the days that only a run with their dates collects."""
        return [
            day
            for day in range(self.first, self.next_catch_up_start)
            if self.state(day) is State.LOST
        ]

    def changed_late(self, day: int) -> bool:
        """Return whether WeChat's list of the day changed on a good morning."""
        articles = self.wechat.articles.get(day, ())
        return any(
            self.calendar.mornings - 1 <= article.deleted_at / at(1) < inf for article in articles
        )

    @cached_property
    def is_article_left(self) -> bool:
        """Whether an article that was ever listed can still be asked for."""
        listed = (record.facts for record in self.records.values())
        return any(article.deleted_at > at(self.last, 8.5) for facts in listed for article in facts)

    def lacks(self, day: int) -> bool:
        """Return whether the facts lack an article that WeChat shows, though they could have it."""
        if self.state(day) is State.SILENT and not self.is_article_left:
            return False
        if self.is_given_up(day):
            return False
        facts, shown = self.record(day).facts, self.wechat.listing(day, at(self.last, 8.5))
        final_at = self.record(day).final_at
        return any(
            facts.get(article) != shown[article]
            for article in shown
            if article.deleted_at >= at(self.last, 10.5)
            and not is_corrected_later(article, final_at, self.wechat)
        )

    # ----------------------------------------------------------------------- the promises

    def whole_facts(self) -> Iterator[str]:
        """Yield breaches of C1."""
        for day in range(self.catch_up_start, self.last):
            record = self.record(day)
            if not record.ready and not self.is_given_up(day):
                yield f"C1 never answered: day {day}"
            is_woken_late = self.is_quiet and record.silent_on > -inf and day in self.due_next
            if self.lacks(day) and not is_woken_late:
                yield f"C1 facts are not whole: day {day}"

    def asking_ends(self) -> Iterator[str]:
        """Yield breaches of C2."""
        past, due = self.last - self.window, self.last_run.due[self.endpoint[1]]
        control_day = due.control_day and self.records[due.control_day].final_at < at(
            self.last, 8.5
        )
        asked = {day_number(day) for day in due.days}
        asked -= {day_number(due.control_day)} if control_day else set()
        for day in sorted({*range(self.catch_up_start, past - 2), *self.answered}):
            is_open = not self.has_ended(day) and not self.changed_late(day) and day < past - 2
            ready_at = self.record(day).coverage.ready_at or instant(-1e9)
            is_reopened = self.last_article_at and self.last_article_at > ready_at
            is_excused = day in self.by_hand or (self.is_quiet and (day in asked or is_reopened))
            if is_open and not is_excused:
                yield f"C2 open: day {day}"
        for day in sorted(day for day in asked if day < past):
            record = self.record(day)
            is_new = not record.ready or record.ready[0] >= at(self.last - 1)
            is_woken = self.is_quiet and (record.silent_on > -inf or not record.facts)
            is_woken |= day in self.by_hand
            if record.silent_on >= self.last - 2 or self.changed_late(day) or is_new or is_woken:
                continue
            row_days = self.wechat.dataset.row_days
            is_whole = all(len(rows) == row_days for rows in record.facts.values())
            if day < past - 2 or (day < past - 1 and is_whole):
                yield f"C2 asked at the end: day {day}"

    def nothing_forgotten(self) -> Iterator[str]:
        """Yield breaches of C10."""
        for day in sorted({*range(self.first, self.last + 1), *self.answered}):
            if not self.has_ended(day) and day not in self.due_next:
                yield f"C10 neither final nor silent, due or named: day {day}"
        for day in sorted(day for day in self.answered if day < self.catch_up_start):
            if self.lacks(day) and day not in self.due_next:
                yield f"C10 missing, and nobody asks: day {day}"

    def nothing_final_too_early(self) -> Iterator[str]:
        """Yield breaches of C10 by articles that an honest day of a green run showed."""
        for process in self.scheduled:
            today, asked = process.day, process.days(self.endpoint[1])
            is_honest = self.wechat.is_honest(at(today)) and self.wechat.is_honest(
                at(today + 1) - 1
            )
            if not asked or process.is_red or not process.was_daily or not is_honest:
                continue
            for day in range(max(self.first, today - self.window - CATCH_UP_DAYS), today):
                record = self.record(day)
                if date_of(day) in asked or record.final_at >= at(today):
                    continue
                for article in self.wechat.articles.get(day, ()):
                    is_shown = article.listed_at <= at(today) and article.deleted_at >= at(
                        today + 1
                    )
                    if is_shown and article.deleted_at < inf and article not in record.facts:
                        yield f"C10 final though shown, then deleted: day {day}"

    def silence(self) -> Iterator[str]:
        """Yield breaches of C9."""
        is_usual = not (self.by_hand or self.wechat.refused or self.calendar.clears)
        if (
            not self.wechat.articles
            and is_usual
            and len(self.last_run.days(self.endpoint[1])) > self.window
        ):
            yield "C9 caught up"

    def lost(self) -> Iterator[str]:
        """Yield breaches of C8."""
        beyond = range(self.first, self.next_catch_up_start)
        lost = [day for day in beyond if not self.has_ended(day) and not self.record(day).ready]
        if self.called_lost() != lost:
            yield "C8 not named"
        if lost:
            days = date_of(lost[0]), date_of(lost[-1])
            whose = (self.endpoint[1],)
            dates = Run("mend", self.wechat.dataset, date_of(self.last), False, *days, True, whose)
            is_red = is_red_after(self.engine, Process(dates), at(self.last, 14))
            for today in (self.last + 1, self.last + 2):
                morning = Run(f"{today}", self.wechat.dataset, date_of(today), accounts=whose)
                is_red_after(self.engine, Process(morning), at(today, 8.5))
            open_days = {*map(day_number, self.due(self.last + 3)), *self.called_lost()}
            stays = open_days.intersection(lost)
            if is_red or any(not (self.is_quiet or self.changed_late(day)) for day in stays):
                yield "C8 one run with their dates does not bring them in"
