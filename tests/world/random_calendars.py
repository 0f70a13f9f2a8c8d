"""
Random calendars of runs, drawn from a seed, with faults of the kinds that are wanted.

`draw_calendar` returns a `Calendar` that `simulation.py` or `pipeline.py` executes. The same seed
always gives the same calendar.
"""

import itertools
import random
from collections.abc import Collection, Iterator
from enum import StrEnum
from math import inf

from weixin_etl.datasets import (
    ARTICLE_SHARE,
    ARTICLE_TOTAL,
    ARTICLE_TOTAL_DETAIL,
    FOLLOWER_CHANGE,
    FOLLOWER_TOTAL,
    Dataset,
)
from weixin_etl.model import Run
from world.simulation import CATCH_UP_DAYS, GOOD_MORNINGS, Calendar, Start
from world.wechat import Article, Blank, Refusal, WeChat, at, date_of, day_number, day_of


class Fault(StrEnum):
    """The kinds of faults that a drawn calendar may hold."""

    LATE = "rows that come late in the morning, or a day late"
    ODD = "articles that end early, have gaps, are deleted, late or corrected"
    REFUSED = "refusals for hours or days"
    REFUSED_ONCE = "refusals of one slice on one day"
    LIES = "answers that are empty, or leave articles out"
    SILENT = "up to twenty days on which every answer is empty"
    STOPPED = "accounts that stop publishing, articles and days that are deleted at any age"
    RETIRED = "an endpoint that goes for good"
    MISSED = "mornings without a run, or with a late one"
    BY_HAND = "runs at odd hours, of past days, and with dates"
    KILLED = "runs that are killed"
    CLEARED = "red runs that are cleared, and green ones"
    ACCOUNTS = "accounts that come and go, another login, a broken connection"
    BOTH = "both datasets"
    STATISTICS = "a dataset of statistics days in their place"
    PREMATURE = "totals that are too low until noon or the next morning, answers of the day before"
    BLANK = "articles without figures that can be read, for a morning, for days or for good"


class Lots(random.Random):
    """Random draws from a seed. Faults of unwanted kinds are drawn too, but do not happen."""

    faults: Collection[Fault] = frozenset(Fault)

    def strikes(self, fault: Fault, probability: float) -> bool:
        """Return whether the fault happens this time."""
        return self.random() < probability and fault in self.faults

    def times(self, fault: Fault, *counts: int) -> range:
        """Return how often the fault happens, as a range to iterate over."""
        return range(self.choice(counts) * (fault in self.faults))


def draw_calendar(seed: int, mornings: int, faults: Collection[Fault]) -> Calendar:
    """Return the calendar of a seed. With fewer kinds of faults it stays similar."""
    lots = Lots(seed)
    lots.faults = faults
    datasets = [ARTICLE_TOTAL] if lots.random() < 0.75 else [ARTICLE_TOTAL_DETAIL]
    if lots.strikes(Fault.BOTH, 0.08):
        datasets = [ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL]
    apart = Lots(f"statistics of {seed}")  # so that the others keep the calendars of their seeds
    apart.faults = faults
    if apart.strikes(Fault.STATISTICS, 0.3):
        datasets = [apart.choice([ARTICLE_SHARE, FOLLOWER_CHANGE, FOLLOWER_TOTAL])]
    connections = draw_connections(lots, mornings)
    appids = sorted({appid for _, appid, *_ in connections if appid})
    wechats = {
        (dataset.name, appid): (
            draw_publications(lots, dataset, mornings)
            if dataset.describes_articles
            else draw_statistics(lots, dataset, mornings)
        )
        for dataset in datasets
        for appid in appids
    }
    apart = Lots(f"figures of {seed}")
    apart.faults = faults
    for wechat in wechats.values():
        if wechat.dataset.describes_articles:
            draw_premature(apart, wechat, mornings)
            draw_blank(apart, wechat, mornings)
    runs = [
        run
        for dataset in datasets
        for first in [0 if dataset is datasets[0] else lots.randrange(mornings)]
        for run in draw_runs(lots, dataset, range(first, mornings + GOOD_MORNINGS), mornings)
    ]
    clears = [
        (at(lots.uniform(0, mornings)), lots.choice(["check", "ingest", "all", "green all"]))
        for _ in lots.times(Fault.CLEARED, 0, 1, 6)
    ]
    for dataset in datasets:
        asked = sorted(
            day_number(run.today)
            for _, run, _ in runs
            if run.dataset is dataset and run.is_scheduled and day_number(run.today) < mornings
        )
        for appid in appids if dataset.describes_articles else ():
            draw_lies(lots, wechats[dataset.name, appid], asked, mornings)
        runs += draw_runs_with_dates(lots, wechats[dataset.name, appids[0]], mornings)
    return Calendar(mornings, wechats, runs, connections, clears)


def draw_connections(lots: Lots, mornings: int) -> list[tuple[str, str | None, float, float]]:
    """Return the connections: account A, and sometimes an account B for a part of the time."""
    always = ("a", "A", -inf, inf)
    first, second, third = sorted(lots.uniform(0, at(mornings)) for _ in range(3))
    if not lots.strikes(Fault.ACCOUNTS, 0.3):
        return [always]
    match lots.choice(["added", "removed", "another login", "broken"]):
        case "added":
            return [always, ("b", "B", first, inf)]
        case "removed":
            return [always, ("b", "B", first, second), ("b", "B", third, inf)]
        case "another login":  # at best between a plan and its ingest
            since = at(lots.randrange(mornings), lots.choice([8 + 30.5 / 60, 8, 18]))
            return [("a", "A", -inf, since), ("a", "B", since, inf)]
        case _:
            return [
                always,
                ("b", "B", -inf, first),
                ("b", None, first, second),
                ("b", "B", second, inf),
            ]


def draw_statistics(lots: Lots, dataset: Dataset, mornings: int) -> WeChat:
    """
    Return what WeChat shows of statistics days: one row a day, or none.

    A row is listed once WeChat has computed it. WeChat corrects a row only before the last morning
    on which the day is asked for.
    """
    days = range(-200, mornings + GOOD_MORNINGS)
    wechat = WeChat(dataset, draw_times(lots, days, dataset, mornings))
    usual = lots.choice([1, 0.8, 0.1]) if dataset.can_be_empty else 1
    odd = lots.choice([0, 0.3])
    for day in days:
        if lots.random() < usual:
            article = Article(day, [0], wechat.computed[day])
            if lots.strikes(Fault.ODD, odd):
                again = sorted(day + lots.randrange(2, dataset.window) for _ in range(2))
                article.corrections = [(at(corrected, 3), 0) for corrected in again]
            wechat.articles[day] = [article]
    draw_refusals(lots, wechat, mornings)
    if lots.strikes(Fault.RETIRED, 0.05):
        wechat.retired_at = at(lots.uniform(0, mornings))
    return wechat


def draw_publications(lots: Lots, dataset: Dataset, mornings: int) -> WeChat:
    """Return what WeChat shows of publication days, without faults from day `mornings` on."""
    days = range(-dataset.window - CATCH_UP_DAYS - 5, mornings + GOOD_MORNINGS)
    wechat = WeChat(dataset, draw_times(lots, days, dataset, mornings))
    busy, odd = lots.choice([0.8, 0.8, 0.12, 0.03, 0]), lots.choice([0, 0.1, 0.4])
    for day in days:
        if lots.random() < busy:
            count = lots.choice([1, 1, 2, 3, 8 if dataset is ARTICLE_TOTAL else 1])
            wechat.articles[day] = [
                draw_article(lots, wechat, day, mornings, odd) for _ in range(count)
            ]
    draw_refusals(lots, wechat, mornings)
    draw_ends(lots, wechat, mornings)
    if lots.strikes(Fault.RETIRED, 0.05):
        wechat.retired_at = at(lots.uniform(0, mornings))
    return wechat


def draw_times(lots: Lots, days: range, dataset: Dataset, mornings: int) -> dict[int, float]:
    """Return the moment at which WeChat has computed the rows of each day."""
    computed = {day: at(day + 1, 7.75) for day in range(days.start, days.stop + dataset.window)}
    late, next_day = lots.choice([(0, 0), (0.2, 0.1), (0.5, 0.2), (0.9, 0.3)])
    for day in range(days.start, mornings - 1):
        if lots.strikes(Fault.LATE, late):
            is_next_day = lots.random() < next_day
            computed[day] = at(day + 1 + is_next_day, lots.uniform(7.5, 12.5))
    return computed


def draw_article(lots: Lots, wechat: WeChat, day: int, mornings: int, odd: float) -> Article:
    """Return an article of a day, mostly with all rows and in time."""
    window = wechat.dataset.window
    article = Article(day, range(window), wechat.computed[day])
    if not lots.strikes(Fault.ODD, odd):
        return article
    match lots.choice(["quiet", "gaps", "no row", "at 23:50", "deleted", "late", "corrected"]):
        case "quiet":
            article.rows = range(lots.randrange(1, window))
        case "gaps":
            article.rows = [n for n in range(window) if lots.random() < 0.5]
        case "no row":
            article.rows = []
        case "at 23:50":
            article.rows = range(1, window)
            article.listed_at = wechat.computed[day + lots.randrange(2)]
        case "deleted":
            article.deleted_at = at(day + 1 + lots.uniform(0, window + 6))
        case "late":
            for n in range(window):
                if lots.random() < 0.3 and day + n + 1 < mornings:
                    usual, noon = wechat.computed[day + n], at(day + n + 2, 12.5)
                    article.computed[n] = min(usual + at(0, lots.uniform(0, 4)), max(usual, noon))
        case "corrected":
            days = sorted(day + lots.randrange(2, window + 1) for _ in range(2))
            article.corrections = [(at(d, 3), lots.randrange(max(1, d - day - 1))) for d in days]
    return article


def draw_refusals(lots: Lots, wechat: WeChat, mornings: int) -> None:
    """Let calls fail for some hours or days, for all days or some; and single account-days."""
    by_hours = [Refusal.NOT_READY, Refusal.NOT_READY, Refusal.IS_DELAY, Refusal.QUOTA]
    by_days = [Refusal.UNREACHABLE, Refusal.BUSY, Refusal.OFFLINE, Refusal.FORBIDDEN]
    for _ in lots.times(Fault.REFUSED, 0, 0, 1, 3, 8):
        refusal = lots.choice(by_hours + by_days)
        first = lots.randrange(mornings)
        stop = min(mornings, first + lots.choice([1, 1, 2, 3, 8, 20]))
        every = 1 if refusal is Refusal.QUOTA else lots.choice([1, 1, 2, 3])
        if refusal is Refusal.QUOTA:
            times = [(at(day + lots.random()), at(day + 1)) for day in range(first, stop)]
        elif refusal in by_hours:
            until = lots.choice([9, 9.5, 10.5, 11.5, 13, 24])
            times = [(at(day), at(day, until)) for day in range(first, stop)]
        else:
            times = [(at(first, lots.choice([0, 8.6, 9])), at(stop))]
        wechat.refused += [(begin, end, refusal, every) for begin, end in times]
    singly = [Refusal.OFFLINE, Refusal.NOT_READY, Refusal.BUSY, Refusal.UNREACHABLE]
    for _ in lots.times(Fault.REFUSED_ONCE, 0, 0, 2, 10):
        today, window = lots.randrange(mornings), wechat.dataset.window
        back = lots.choice([1, window, window + 1, window + 2, lots.randrange(1, window + 4)])
        wechat.refused_on[today - back, today] = lots.choice(singly)


def draw_ends(lots: Lots, wechat: WeChat, mornings: int) -> None:
    """Let the account stop for days or for good, and delete articles and whole days."""
    window = wechat.dataset.window
    if lots.strikes(Fault.STOPPED, 0.35):
        first = lots.randrange(-window, mornings)
        last = first + lots.choice([8, 10, 10**6])
        for day in [day for day in wechat.articles if first <= day < last]:
            del wechat.articles[day]
    if lots.strikes(Fault.STOPPED, 0.4):
        for day, articles in wechat.articles.items():
            if lots.random() < 0.15:
                gone_at = at(day + 1 + lots.uniform(0, lots.choice([3, window + 4, 80])))
                for article in articles if lots.random() < 0.5 else articles[:1]:
                    article.deleted_at = min(gone_at, article.deleted_at)


def draw_premature(lots: Lots, wechat: WeChat, mornings: int) -> None:
    """
    Let some totals be too low for hours or a day, or let answers be a day old.

    Mostly the newest row is too low, often an article's last one; of all articles or of one.
    """
    window = wechat.dataset.window
    are_stale = lots.random() < 0.2
    for _ in lots.times(Fault.PREMATURE, 0, 1, 4, 12):
        today, last_age = lots.randrange(mornings), window + 1
        ages = lots.choice([[window], [lots.randint(1, last_age)], range(1, last_age)])
        until = lots.choice([at(today, 12.5), at(today + 1, 8)])
        for age in ages:
            if are_stale:
                wechat.stale_on.add((today - age, today))
                continue
            articles = wechat.articles.get(today - age, [])
            row = lots.choice([age - 1, age - 1, lots.randrange(age)])
            too_low_by = min(lots.choice([1, 400, 1500, 10**6]), 1000 * (row + 1) - 3)
            for article in articles if lots.random() < 0.5 else articles[:1]:
                premature = (at(today), until, row, too_low_by)
                article.premature = [*article.premature, premature]


def draw_blank(lots: Lots, wechat: WeChat, mornings: int) -> None:
    """Let articles have no readable figures for a morning, for days or for good."""
    for _ in lots.times(Fault.BLANK, 0, 0, 0, 1, 2):
        first = lots.randrange(mornings)
        begin = at(first, lots.choice([0, 0, 8.6, 9.5]))
        days = lots.choice([1, 1, 3, 12, inf])
        end = inf if days == inf else at(min(mornings, first + days))
        wechat.blank.append((begin, end, lots.choice([*Blank])))


def draw_lies(lots: Lots, wechat: WeChat, asked: list[int], mornings: int) -> None:
    """Let answers be wrong on days with a run, most often after days without a run."""
    kinds = lots.choice([{Fault.LIES}, {Fault.SILENT}, {Fault.LIES, Fault.SILENT}, set()])
    kinds &= set(lots.faults)
    after = [day for n, day in enumerate(asked) if n == 0 or asked[n - 1] < day - 1]
    for _ in range(lots.choice([1, 1, 2, 4, 8]) * (Fault.LIES in kinds)):
        first = lots.choice(lots.choice([asked, after]) or [0])
        for day in range(first, min(mornings, first + lots.choice([1, 1, 1, 2, 3]))):
            wechat.lies_on[day] = lots.choice([0.1, 0.5, 1])
    for _ in range(lots.choice([1, 1, 1, 2]) * (Fault.SILENT in kinds)):
        days = lots.randrange(1, 21)
        first = lots.choice([max(0, mornings - days), lots.randrange(mornings)])
        begin = at(first + (lots.random() / 2) * (lots.random() < 0.2))
        end = at(min(mornings, first + days) - (lots.random() / 2) * (lots.random() < 0.2))
        if begin < end:
            wechat.silent.append((begin, end))


def draw_runs_with_dates(lots: Lots, wechat: WeChat, mornings: int) -> Iterator[Start]:
    """Yield runs with dates, most of them on days with wrong answers."""
    spells = [day_of(moment) for begin, end in wechat.silent for moment in (begin, end - 1)]
    bad = sorted({*wechat.lies_on, *spells})
    for number in lots.times(Fault.BY_HAND, 0, 1, 1, 3):
        today = lots.choice(bad) if bad and lots.random() < 0.7 else lots.randrange(mornings)
        last = today - lots.randrange(1, wechat.dataset.window + 50)
        run = Run(
            f"backfill {wechat.dataset.name} {today} #{number}",
            wechat.dataset,
            date_of(today),
            is_scheduled=False,
            begin_date=date_of(last - lots.randrange(40)),
            end_date=date_of(last),
            names_dates=True,
            refetch=lots.random() < 0.2,
        )
        yield at(today, lots.uniform(0, 24)), run, None


def draw_runs(lots: Lots, dataset: Dataset, days: range, mornings: int) -> Iterator[Start]:
    """Yield a run each morning unless it is missed, and runs started by hand."""
    number = itertools.count()

    def run(kind: str, day: int, **form: object) -> Run:
        run_id = f"{kind} {dataset.name} {day} #{next(number)}"
        return Run(run_id, dataset, date_of(day), kind == "scheduled", **form)

    missing, runs_again = lots.choice([0, 0.02, 0.1]), 0
    if mornings > 80 and lots.strikes(Fault.MISSED, 0.4):
        runs_again = lots.randrange(55, mornings + 1)
    for today in days:
        is_good = today >= mornings
        if not is_good and today >= runs_again and lots.strikes(Fault.MISSED, missing):
            runs_again = today + lots.choice([1, 1, 2, 5, 8, 20, 40, 75])
        if is_good or today == days.start or today >= runs_again:
            is_late = not is_good and lots.strikes(Fault.MISSED, 0.05)
            is_killed = not is_good and lots.strikes(Fault.KILLED, 0.04)
            hour = 8.5 + is_late * lots.uniform(0, 11.5)
            yield (
                at(today, hour),
                run("scheduled", today),
                lots.randrange(12) if is_killed else None,
            )
        if today == days[-1]:
            return
        hour = lots.choice([0.1, 8, 9.98, 23.98, 23.998, lots.uniform(0, 24)])
        if lots.strikes(Fault.BY_HAND, 0.06):
            yield at(today, hour), run("manual", today), None
        if lots.strikes(Fault.BY_HAND, 0.01):  # `airflow dags test`
            yield at(today, hour), run("past", today - lots.randrange(1, 90)), None
        if not is_good and lots.strikes(Fault.BY_HAND, 0.04):
            end = today - lots.randrange(1, dataset.window + 40)
            dates = {"begin_date": date_of(end - lots.randrange(12)), "end_date": date_of(end)}
            refetch = lots.random() < 0.3
            yield (
                at(today, hour),
                run("dates", today, names_dates=True, refetch=refetch, **dates),
                None,
            )
        if not is_good and lots.strikes(Fault.BY_HAND, 0.012):  # `airflow backfill create`
            first = today - lots.randrange(1, 20)
            for n, past in enumerate(range(first, min(today, first + 8))):
                yield at(today, hour + n / 20), run("past", past), None
