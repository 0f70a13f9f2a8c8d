"""
What must hold after any calendar, by the log of answers and by what the worlds show.

    C1  all that WeChat shows since the first daily run less its window, within reach, is loaded
    C2  three days past its window a day that was ever answered is final or rests, unless what it
        lists changed on a good morning; a statistics day is not asked for past its window; a
        retired endpoint costs a call a morning
    C3  green: every planned pair was answered, ready, since the run was planned, or since a person
        cleared its plan, and WeChat had computed yesterday's rows; red after 10:00: never for rows
        that are only inferred to be missing
    C4  no final day differs from what WeChat shows in the end
    C5  few calls for a pair and a run; the window and five where the endpoint is offline
    C6  a red run that is cleared after the good mornings is green
    C7  a dataset asks the same calls whether or not the DAG of the other one runs
    C8  open days beyond the reach that were never answered are named; one run with their dates, and
        two mornings, end that
    C9  an account without articles costs its window each morning and no more
    C10 whatever was answered or is in reach is final, rests, is due or named; nothing that WeChat
        shows, or that a whole honest day showed, is missing of what is final or rests

Not promised: a silent account of which no article that was ever listed is left. Nobody can tell it
from one that publishes nothing, so its days rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from math import inf

from calendars.pipeline import (
    CATCH_UP_DAYS,
    QUICK_TRIES,
    READY_HOUR,
    Calendar,
    Endpoint,
    Known,
    Pipeline,
    Process,
    live,
)
from calendars.worlds import Refusal, at, date_of, day_number
from weixin_etl import rules
from weixin_etl.datasets import Day
from weixin_etl.model import Coverage, PlannedPair, Run


def broken_promises(calendar: Calendar) -> list[str]:
    """The promises that do not hold after a calendar."""
    colours = Colours()
    return [*Life(calendar, *live(calendar, colours)).broken(), *colours.broken]


@dataclass
class Colours:
    """C3, at each check."""

    broken: list[str] = field(default_factory=list)

    def __call__(
        self, pipeline: Pipeline, process: Process, today: int, held: list[PlannedPair]
    ) -> None:
        """Compare the colour with the log."""
        run, wrong = process.run, set()
        held_back = {(pair.appid, pair.publication_date) for pair in held}
        for appid, day in process.pairs:
            known = pipeline.known[run.dataset.name, appid][day]
            is_held = (appid, day) in held_back
            planned_at = process.cleared_at or process.first_planned_at[appid, day]
            is_in = known.is_ready_since(planned_at)
            is_final = known.coverage.is_final and not run.refetch
            is_offline = known.coverage.error_code == Refusal.OFFLINE
            is_probe = process.pairs[appid, day].is_probe and is_offline
            if is_held and is_in:
                wrong.add("red for a pair that is in")
            if is_held and (known.inferred_at or 0) % 86400 >= at(0, READY_HOUR):
                wrong.add("red for a row that is only inferred to be missing")
            if not (is_held or is_in or is_final or is_probe):
                wrong.add("a pair that is not in does not hold back")
        if not process.is_red and process.unplannable:
            wrong.add("green, an account not planned")
        is_green_today = not process.is_red and not run.names_dates and process.day == today
        if is_green_today and any(is_stale(pipeline, process, appid) for appid in process.lost):
            wrong.add("green, did not wait for yesterday's rows")
        self.broken += [f"C3 {what}: {run.run_id}" for what in sorted(wrong)]


def is_stale(pipeline: Pipeline, process: Process, appid: str) -> bool:
    """Whether a run of this morning has no row of yesterday, though WeChat had one by 10:00."""
    endpoint, yesterday = (process.run.dataset.name, appid), process.day - 1
    world, ready_at = pipeline.calendar.worlds[endpoint], at(process.day, READY_HOUR)
    if process.run.dataset.day is Day.STATISTICS:
        if date_of(yesterday) not in process.days(appid):
            return False
        pair = pipeline.known[endpoint][date_of(yesterday)]
        return bool(pair.ready_at and not pair.facts and world.listing(yesterday, ready_at))
    counting = [
        (article, yesterday - article.day, known.facts[article])
        for known in [pipeline.known[endpoint][day] for day in process.days(appid)]
        for article in known.listed
        if yesterday - article.day < world.dataset.window
    ]
    return not any(n in facts for _, n, facts in counting) and any(
        n in world.rows(article, ready_at) for article, n, _ in counting
    )


@dataclass
class Life:
    """A calendar that was lived through."""

    calendar: Calendar
    pipeline: Pipeline
    runs: list[Process]

    def broken(self) -> list[str]:
        """What does not hold; C8 and C6 go on from there with more runs, so they come last."""
        broken = [*self._calls(), *self._final(), *self._retired()]
        for endpoint, world in self.calendar.worlds.items():
            if endpoint[1] in self._appids_at_the_end() and world.retired_at == inf:
                for promise in PROMISES_OF_ACCOUNTS:
                    broken += [f"{what} {endpoint}" for what in promise(self, endpoint)]
        return [*broken, *self._repair(), *self._datasets()]

    def _appids_at_the_end(self) -> set[str | None]:
        return set(self.calendar.accounts(at(self.calendar.mornings, 8)).values())

    @cached_property
    def _mornings(self) -> dict[tuple[str, int], Process]:
        """The scheduled runs by dataset and day."""
        return {(p.run.dataset.name, p.day): p for p in self.runs if p.run.is_scheduled}

    def _last(self, endpoint: Endpoint) -> Process:
        return self._mornings[endpoint[0], self.calendar.last_day]

    def _first_day(self, endpoint: Endpoint) -> int:
        """The first day of the account's first daily run, by the log of plans."""
        dataset, appid = endpoint
        first_daily = min(
            process.day
            for process in self.runs
            if process.run.dataset.name == dataset and not process.run.names_dates
            for (owner, _), planned_at in process.first_planned_at.items()
            if owner == appid and planned_at.date() == process.run.today
        )
        return first_daily - self.calendar.worlds[endpoint].dataset.window

    def _reached_days(self, endpoint: Endpoint) -> range:
        """Those that the first good morning reached, or the second one after a probe."""
        today, (dataset, appid) = self.calendar.mornings, endpoint
        pairs = self._mornings[dataset, today].pairs
        if any(it.is_probe for (owner, _), it in pairs.items() if owner == appid):
            today += 1
        reach = today - self.calendar.worlds[endpoint].dataset.window - CATCH_UP_DAYS
        return range(max(self._first_day(endpoint), reach), self.calendar.last_day)

    def _known(self, endpoint: Endpoint, day: date) -> Known:
        return self.pipeline.known[endpoint].get(day) or Known(Coverage(day))

    def _is_settled(self, endpoint: Endpoint, day: date) -> bool:
        coverage = self._known(endpoint, day).coverage
        return coverage.is_final or coverage.is_resting

    def _due_next(self, endpoint: Endpoint) -> set[date]:
        """What the morning after asks for, or names."""
        today = date_of(self.calendar.last_day + 1)
        run = Run("next", self.calendar.worlds[endpoint].dataset, today, is_scheduled=True)
        due = self.pipeline.due(run, endpoint[1], today)
        return {*due.days, *due.lost}

    def _is_quiet(self, endpoint: Endpoint) -> bool:
        """Whether the account did not speak on each of the first three good mornings."""
        first = self.calendar.mornings
        return not {first, first + 1, first + 2} <= self.pipeline.spoken[endpoint]

    def _can_be_heard(self, endpoint: Endpoint) -> bool:
        """Whether an article that was ever listed is still there to be asked for."""
        now = at(self.calendar.last_day, 8.5)
        listed = (known.facts for known in self.pipeline.known[endpoint].values())
        return any(article.deleted_at > now for them in listed for article in them)

    def _has_moved(self, endpoint: Endpoint, day: int) -> bool:
        """Whether what WeChat lists of a day changed on a good morning, or always changes."""
        last_bad = self.calendar.mornings - 1
        return any(
            it.is_fickle or at(last_bad) <= it.deleted_at < inf
            for it in self.calendar.worlds[endpoint].articles.get(day, ())
        )

    def _lacking(self, endpoint: Endpoint, day: int) -> bool:
        """Whether an article that WeChat shows is not loaded as it is."""
        known, last = self._known(endpoint, date_of(day)), self.calendar.last_day
        return any(
            known.facts.get(article) != rows
            for article, rows in self.calendar.worlds[endpoint].listing(day, at(last, 8.5)).items()
            if article.deleted_at >= at(last, 12) and not article.is_fickle
        )

    def _is_new(self, endpoint: Endpoint, day: date) -> bool:
        """Whether its first answer came too late for two good mornings to end it."""
        ready_at = self._known(endpoint, day).ready_at
        return bool(ready_at) and ready_at[0] >= at(self.calendar.last_day - 1)

    def _is_excused(self, endpoint: Endpoint, day: date) -> bool:
        """Whether nothing could tell that the account was silent, or too late to ask again."""
        known = self._known(endpoint, day)
        if known.coverage.is_resting and not self._can_be_heard(endpoint):
            return True
        was_resting = known.rested_at > -inf
        return self._is_quiet(endpoint) and was_resting and day in self._due_next(endpoint)

    def _facts(self, endpoint: Endpoint) -> Iterator[str]:
        """C1."""
        for day in self._reached_days(endpoint):
            if not self._known(endpoint, date_of(day)).ready_at:
                yield f"C1 never answered: day {day}"
            if self._lacking(endpoint, day) and not self._is_excused(endpoint, date_of(day)):
                yield f"C1 facts are not whole: day {day}"

    def _asking_ends(self, endpoint: Endpoint) -> Iterator[str]:
        """C2."""
        window, last = self.calendar.worlds[endpoint].dataset.window, self._last(endpoint)
        past, is_quiet = self.calendar.last_day - window, self._is_quiet(endpoint)
        pairs = self.pipeline.known[endpoint]
        answered = {day_number(day) for day, known in pairs.items() if known.ready_at}
        asked = {
            day_number(day)
            for (owner, day), purpose in last.pairs.items()
            if owner == endpoint[1] and not purpose.is_witness
        }
        for day in sorted({*self._reached_days(endpoint), *answered}):
            if self._is_new(endpoint, date_of(day)):
                continue
            was_resting = self._known(endpoint, date_of(day)).rested_at > -inf
            is_woken = is_quiet and (day in asked or was_resting)
            has_ended = self._is_settled(endpoint, date_of(day)) or is_woken
            if day < past - 2 and not has_ended and not self._has_moved(endpoint, day):
                yield f"C2 open: day {day}"
        if self.calendar.worlds[endpoint].dataset.day is Day.STATISTICS:
            yield from (f"C2 asked at the end: day {day}" for day in sorted(asked) if day < past)
            return
        for day in sorted(asked):
            known = pairs[date_of(day)]
            since = known.evidence.since
            is_heard_late = known.rested_at >= at(self.calendar.last_day - 2) or (
                is_quiet
                and (
                    known.rested_at > -inf
                    or not known.facts
                    or (since is not None and day_number(since) >= self.calendar.mornings + 2)
                )
            )
            is_new = self._is_new(endpoint, date_of(day))
            if is_new or is_heard_late or self._has_moved(endpoint, day):
                continue
            if day < past - (0 if known.is_whole(window) else 2):
                yield f"C2 asked at the end: day {day}"

    def _everything(self, endpoint: Endpoint) -> Iterator[str]:
        """C10."""
        pairs, reached = self.pipeline.known[endpoint], self._reached_days(endpoint)
        answered = {day_number(day) for day, known in pairs.items() if known.ready_at}
        due = self._due_next(endpoint)
        for day in sorted({*range(self._first_day(endpoint), reached.stop + 1), *answered}):
            if not self._is_settled(endpoint, date_of(day)) and date_of(day) not in due:
                yield f"C10 neither final nor resting, due or named: day {day}"
            is_old = day in answered and day not in reached and day < reached.stop
            is_lost = date_of(day) not in due and not self._is_excused(endpoint, date_of(day))
            if is_old and is_lost and self._lacking(endpoint, day):
                yield f"C10 missing, and nobody asks: day {day}"
        for process in self.runs:
            if process.run.dataset.name == endpoint[0]:
                yield from self._shown(endpoint, process)

    def _shown(self, endpoint: Endpoint, process: Process) -> Iterator[str]:
        """C10, of what an honest day of a green run showed, and what was final before it."""
        world, today = self.calendar.worlds[endpoint], process.day
        is_honest = world.is_honest(at(today)) and world.is_honest(at(today + 1) - 1)
        if process.is_red or not process.run.is_scheduled or not is_honest:
            return
        reach = today - world.dataset.window - CATCH_UP_DAYS
        asked = process.days(endpoint[1])
        for day in range(max(self._first_day(endpoint), reach), today) if asked else ():
            known = self._known(endpoint, date_of(day))
            if date_of(day) in asked or known.final_at >= at(today):
                continue
            for article in world.articles.get(day, ()):
                is_shown = article.listed_at <= at(today) and article.deleted_at >= at(today + 1)
                is_gone = article.deleted_at < inf and not article.is_fickle
                if is_shown and is_gone and article not in known.facts:
                    yield f"C10 final though shown, then deleted: day {day}"

    def _retired(self) -> Iterator[str]:
        """C2 of retired endpoints."""
        for (dataset, appid), world in self.calendar.worlds.items():
            is_there = appid in self._appids_at_the_end()
            if world.retired_at < at(self.calendar.mornings, 8) and is_there:
                for day in range(self.calendar.mornings + 1, self.calendar.last_day + 1):
                    process = self._mornings[dataset, day]
                    if process.is_red or len(process.days(appid)) > 1:
                        yield f"C2 retired, yet red or asked: {process.run.run_id}"

    def _final(self) -> Iterator[str]:
        """C4."""
        for endpoint, pairs in self.pipeline.known.items():
            world = self.calendar.worlds[endpoint]
            in_the_end = at(self.calendar.last_day + world.dataset.window + 8)
            for day, known in ((day_number(day), known) for day, known in pairs.items()):
                for article in world.articles.get(day, ()):
                    is_settled = known.final_at < article.deleted_at and not article.is_fickle
                    rows = world.rows(article, in_the_end)
                    if is_settled and known.facts.get(article, {}) != rows:
                        yield f"C4 final, not whole: day {day} {endpoint}"

    def _calls(self) -> Iterator[str]:
        """C5."""
        for process in self.runs:
            run, most = process.run, QUICK_TRIES + (8 if process.run.is_scheduled else 1)
            if process.is_cleared:
                continue
            if any(count > most for count in process.calls.values()):
                yield f"C5 a pair: {run.run_id}"
            for appid in process.lost:
                days = process.days(appid)
                world = self.calendar.worlds[run.dataset.name, appid]
                is_offline = world.retired_at < process.begun_at
                most_calls = run.dataset.window + rules.REFUSALS_THAT_STOP
                calls = sum(process.calls[appid, day] for day in days)
                if is_offline and calls > most_calls * (1 + process.kills):
                    yield f"C5 an offline endpoint: {run.run_id}"

    def _repair(self) -> Iterator[str]:
        """C6, by each way to clear a run that can help it."""
        day = self.calendar.last_day
        present = set(self.calendar.accounts(at(day, 10)).values())
        for n, process in enumerate([process for process in self.runs if process.is_red]):
            dataset, appids = process.run.dataset.name, {appid for appid, _ in process.pairs}
            retired = {
                appid
                for (of, appid), world in self.calendar.worlds.items()
                if of == dataset and world.retired_at < inf
            }
            if retired and process.run.names_dates:
                continue  # WeChat does not have them any more
            tasks = ("all", "ingest", "check")[n % 3]
            is_in = all(
                self.pipeline.known[dataset, appid][day].is_ready_since(process.planned_at)
                for appid, day in process.pairs
            )
            if process.unplannable or appids & retired or not appids <= present:
                tasks = "all"
            elif tasks == "check" and not is_in:
                tasks = "ingest"
            again = self.pipeline.clear(process, at(day, 15), tasks)
            while again is not None:
                again = self.pipeline.step(process, again)
            if process.is_red:
                yield f"C6 cleared ({tasks}), still red: {process.run.run_id}"

    def _datasets(self) -> Iterator[str]:
        """C7."""
        datasets = {dataset for dataset, _ in self.calendar.worlds}
        if len(datasets) < 2 or self.calendar.clears:
            return
        end = at(self.calendar.last_day, 13)
        for dataset in sorted(datasets):
            alone, _ = live(self.calendar, only=dataset)
            calls = [
                [call for call in pipeline.calls if call[0] == dataset and call[3] < end]
                for pipeline in (self.pipeline, alone)
            ]
            if calls[0] != calls[1]:
                yield f"C7 calls depend on the other dataset: {dataset}"

    def _lost(self, endpoint: Endpoint) -> Iterator[str]:
        """C8."""
        dataset, today = self.calendar.worlds[endpoint].dataset, self.calendar.last_day
        beyond = range(self._first_day(endpoint), today - dataset.window - CATCH_UP_DAYS)
        lost = [
            day
            for day in map(date_of, beyond)
            if not self._is_settled(endpoint, day) and not self._known(endpoint, day).ready_at
        ]
        if sorted(self._last(endpoint).lost[endpoint[1]]) != lost:
            yield "C8 not named"
        if lost:
            dates = Run("mend", dataset, date_of(today), False, "", lost[0], lost[-1])
            is_red = self._runs_through(dates, endpoint, at(today, 14))
            for day in (today + 1, today + 2):
                daily = Run(f"after {day}", dataset, date_of(day), False)
                self._runs_through(daily, endpoint, at(day, 8.5))
            stays = [day for day in lost if not self._is_settled(endpoint, day)]
            stays = [day for day in stays if not self._has_moved(endpoint, day_number(day))]
            if is_red or (stays and not self._is_quiet(endpoint)):
                yield "C8 one run with their dates does not bring them in"

    def _runs_through(self, run: Run, endpoint: Endpoint, moment: int) -> bool:
        """Whether a run of the account is red in the end."""
        process = Process(replace(run, accounts=(endpoint[1],)))
        again: int | None = moment
        while again is not None:
            again = self.pipeline.step(process, again)
        return process.is_red

    def _silence(self, endpoint: Endpoint) -> Iterator[str]:
        """C9: a run after a green morning catches nothing up."""
        (dataset, appid), world = endpoint, self.calendar.worlds[endpoint]
        if world.articles or world.refused or world.refused_on:
            return
        for process in self.runs:
            if process.run.dataset.name == dataset and process.run.is_scheduled:
                before = self._mornings.get((dataset, process.day - 1))
                is_after_green = before and not before.is_red and before.days(appid)
                is_more = len(process.days(appid)) > world.dataset.window
                if is_after_green and is_more and not process.is_cleared:
                    yield f"C9 caught up: {process.run.run_id}"


PROMISES_OF_ACCOUNTS = (
    Life._facts,
    Life._asking_ends,
    Life._everything,
    Life._silence,
    Life._lost,
)
