"""
What must hold after any calendar, by the log of answers and by what the worlds show.

    C1  all that WeChat shows since the first daily run less its window, within reach, is loaded
    C2  no day stays open three days past its window; a retired endpoint costs a call a morning
    C3  green: every planned pair was answered, ready, since it was planned, and WeChat had computed
        yesterday's rows; red after 10:00: never for rows that are only inferred to be missing
    C4  no final day differs from what WeChat shows in the end
    C5  few calls for a pair and a run; the window and five where the endpoint is offline
    C6  a red run that is cleared after the good mornings is green
    C7  a dataset asks the same calls whether or not the DAG of the other one runs
    C8  open days beyond the reach are named, and one run with their dates brings them in
    C9  an account without articles costs its window each morning and no more
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
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
            is_in = known.is_ready_since(process.planned_at[appid, day])
            is_final = known.coverage.is_final and not run.refetch
            is_probe = process.pairs[appid, day] and known.coverage.error_code == Refusal.OFFLINE
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
                for promise in (self._facts, self._asking_ends, self._silence, self._lost):
                    broken += [f"{what} {endpoint}" for what in promise(endpoint)]
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
            for (owner, _), planned_at in process.planned_at.items()
            if owner == appid and planned_at.date() == process.run.today
        )
        return first_daily - self.calendar.worlds[endpoint].dataset.window

    def _reached_days(self, endpoint: Endpoint) -> range:
        """Those that the first good morning reached, or the second one after a probe."""
        today, (dataset, appid) = self.calendar.mornings, endpoint
        pairs = self._mornings[dataset, today].pairs
        if any(is_probe for (owner, _), is_probe in pairs.items() if owner == appid):
            today += 1
        reach = today - self.calendar.worlds[endpoint].dataset.window - CATCH_UP_DAYS
        return range(max(self._first_day(endpoint), reach), self.calendar.last_day)

    def _is_open(self, endpoint: Endpoint, day: date) -> bool:
        known = self.pipeline.known[endpoint].get(day)
        return known is None or not known.coverage.is_final

    def _facts(self, endpoint: Endpoint) -> Iterator[str]:
        """C1."""
        now, nothing = at(self.calendar.last_day, 8.5), Known(Coverage(date.min))
        for day in self._reached_days(endpoint):
            known = self.pipeline.known[endpoint].get(date_of(day), nothing)
            if not known.ready_at:
                yield f"C1 never answered: day {day}"
            for article, rows in self.calendar.worlds[endpoint].listing(day, now).items():
                is_leaving = article.deleted_at < at(self.calendar.last_day, 12)
                if known.facts.get(article) != rows and not is_leaving:
                    yield f"C1 facts are not whole: day {day}"

    def _asking_ends(self, endpoint: Endpoint) -> Iterator[str]:
        """C2."""
        window = self.calendar.worlds[endpoint].dataset.window
        past = self.calendar.last_day - window
        for day in self._reached_days(endpoint):
            if day < past - 2 and self._is_open(endpoint, date_of(day)):
                yield f"C2 open: day {day}"
        for day in self._last(endpoint).days(endpoint[1]):
            rows = self.pipeline.known[endpoint][day].facts.values()
            is_whole = all(len(them) == window for them in rows)
            if day_number(day) < past - (0 if is_whole else 2):
                yield f"C2 asked at the end: day {day_number(day)}"

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
                    is_settled = known.final_at < article.deleted_at
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
                if not run.names_dates and len(days) > run.dataset.window + CATCH_UP_DAYS:
                    yield f"C5 an account: {run.run_id}"
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
                self.pipeline.known[dataset, appid][publication_date].is_ready_since(planned_at)
                for (appid, publication_date), planned_at in process.planned_at.items()
                if (appid, publication_date) in process.pairs
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
        lost = [day for day in map(date_of, beyond) if self._is_open(endpoint, day)]
        if sorted(self._last(endpoint).lost[endpoint[1]]) != lost:
            yield "C8 not named"
        if lost:
            run = Run("mend", dataset, date_of(today), False, lost[0], lost[-1], (endpoint[1],))
            mend = Process(run)
            again: int | None = at(today, 14)
            while again is not None:
                again = self.pipeline.step(mend, again)
            if mend.is_red or any(self._is_open(endpoint, day) for day in lost):
                yield "C8 one run with their dates does not bring them in"

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
