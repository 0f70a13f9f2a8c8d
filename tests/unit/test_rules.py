"""The rules of time and state, each with its cases; all times are Beijing's, in November 2026."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from weixin_etl import clock, rules
from weixin_etl.datasets import (
    ARTICLE_SHARE,
    ARTICLE_TOTAL,
    ARTICLE_TOTAL_DETAIL,
    FOLLOWER_TOTAL,
    Dataset,
)
from weixin_etl.model import (
    AttemptState,
    Coverage,
    PairState,
    ParameterError,
    PlannedPair,
    Run,
    Summary,
)
from weixin_etl.problem import ProblemKind
from weixin_etl.rules import Days, Due, StillCounting

case = pytest.param
MONTH = date(2026, 11, 1)


def nov(day: int) -> date:
    """A day of the month; 0 and less are of the months before, 31 and more of those after."""
    return MONTH + timedelta(day - 1)


def at(day: int, hour: int = 8, minute: int = 30, second: int = 0) -> datetime:
    """A moment of a day."""
    return datetime.combine(nov(day), time(hour, minute, second), clock.SHANGHAI)


def days(*numbers: int) -> list[date]:
    """Days of the month."""
    return [nov(number) for number in numbers]


TODAY = nov(24)
DAILY = Run("daily", ARTICLE_TOTAL, TODAY, is_scheduled=True)
REFETCH = replace(DAILY, is_scheduled=False, refetch=True)
DETAIL = replace(DAILY, dataset=ARTICLE_TOTAL_DETAIL)
PAST = replace(DAILY, today=nov(10), is_scheduled=False)
DATES = replace(DAILY, is_scheduled=False, begin_date=nov(1), end_date=nov(3))


# ------------------------------------------------------------------------------------------- due


@pytest.mark.parametrize(
    ("run", "today", "expected"),
    [
        case(DAILY, TODAY, True, id="today's"),
        case(replace(DAILY, is_scheduled=False), TODAY, True, id="today's, started by hand"),
        case(PAST, TODAY, False, id="a past day's"),
        case(replace(DAILY, today=nov(25)), TODAY, False, id="tomorrow's"),
        case(DATES, TODAY, False, id="with dates"),
        case(replace(DATES, begin_date=None), TODAY, False, id="with one date, which is refused"),
    ],
)
def test_a_run_is_daily(run: Run, today: date, expected: bool) -> None:
    """It names no dates and its day is the real one."""
    assert rules.is_daily(run, today) is expected


@pytest.mark.parametrize(
    ("run", "today", "expected"),
    [
        case(DAILY, TODAY, Days(nov(17), nov(23)), id="seven days up to yesterday"),
        case(DETAIL, TODAY, Days(date(2026, 10, 25), nov(23)), id="thirty days up to yesterday"),
        case(PAST, TODAY, Days(nov(3), nov(9)), id="of a past run, before its own day"),
        case(
            replace(DAILY, today=date(2028, 3, 1)),
            date(2028, 3, 1),
            Days(date(2028, 2, 23), date(2028, 2, 29)),
            id="across a leap day",
        ),
        case(
            replace(DAILY, today=nov(27)),
            TODAY,
            Days(nov(20), nov(23)),
            id="of a future run, up to the real yesterday",
        ),
        case(
            replace(DETAIL, today=date(2025, 11, 4)),
            TODAY,
            Days(date(2025, 11, 1), date(2025, 11, 3)),
            id="not before the endpoint's first day",
        ),
        case(DATES, TODAY, Days(nov(1), nov(3)), id="the days named"),
        case(
            replace(DATES, begin_date=nov(23), end_date=nov(23)),
            TODAY,
            Days(nov(23), nov(23)),
            id="the real yesterday alone",
        ),
        case(
            replace(DATES, begin_date=date(2014, 12, 1)),
            TODAY,
            Days(date(2014, 12, 1), nov(3)),
            id="from the endpoint's first day on",
        ),
    ],
)
def test_the_window_of_a_run(run: Run, today: date, expected: Days) -> None:
    """The days it names, else those whose totals may still have grown."""
    assert rules.window(run, today) == expected


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        case(
            replace(DATES, end_date=None),
            "give both begin_date and end_date, or neither",
            id="no end",
        ),
        case(
            replace(DATES, begin_date=None),
            "give both begin_date and end_date, or neither",
            id="no beginning",
        ),
        case(
            replace(DATES, begin_date=nov(4)),
            "begin_date 2026-11-04 is after end_date 2026-11-03",
            id="the wrong order",
        ),
        case(
            replace(DATES, end_date=TODAY),
            "end_date 2026-11-24 is too late: WeChat has days up to yesterday in Beijing, "
            "2026-11-23",
            id="today",
        ),
        case(
            replace(DATES, begin_date=date(2014, 11, 30)),
            "begin_date 2014-11-30 is too early: getarticletotal starts on 2014-12-01",
            id="before the first day",
        ),
        case(
            replace(DAILY, today=date(2014, 12, 1)),
            "nothing can be asked for on 2014-12-01: WeChat has publication days from 2014-12-01 "
            "to yesterday in Beijing, 2026-11-23",
            id="a past run without a day",
        ),
        case(
            replace(DAILY, today=date(2027, 3, 1)),
            "nothing can be asked for on 2027-03-01: WeChat has publication days from 2014-12-01 "
            "to yesterday in Beijing, 2026-11-23",
            id="a run far in the future",
        ),
    ],
)
def test_days_out_of_range_are_refused(run: Run, sentence: str) -> None:
    """With a sentence for the form."""
    with pytest.raises(ParameterError) as error:
        rules.window(run, TODAY)

    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("run", "first_daily_date", "expected"),
    [
        case(DAILY, nov(10), Days(nov(3), nov(23)), id="of a daily run, all since the first one"),
        case(DAILY, TODAY, Days(nov(17), nov(23)), id="of the first daily run, its window"),
        case(
            DETAIL,
            date(2025, 11, 5),
            Days(date(2025, 11, 1), nov(23)),
            id="not before the endpoint's first day",
        ),
        case(PAST, nov(1), Days(nov(3), nov(9)), id="of a past run, its window"),
        case(DATES, nov(20), Days(nov(1), nov(3)), id="of a run with dates, these"),
    ],
)
def test_the_days_concerned(run: Run, first_daily_date: date, expected: Days) -> None:
    """What decides what is due and lost."""
    assert rules.concerned(run, first_daily_date, TODAY) == expected


WINDOW = days(23, 22, 21, 20, 19, 18, 17)


@pytest.mark.parametrize(
    ("run", "facts", "expected"),
    [
        case(DAILY, {}, Due(WINDOW, [], 0, []), id="the window, newest first"),
        case(
            DAILY,
            {"open_days": days(23, 22, 21, 20, 19, 18)},
            Due(days(23, 22, 21, 20, 19, 18), [], 1, []),
            id="no final day",
        ),
        case(
            DAILY,
            {"open_days": [*days(5, 16), *WINDOW]},
            Due([*WINDOW, *days(16, 5)], days(16, 5), 0, []),
            id="days that earlier daily runs left open, after the window",
        ),
        case(
            DAILY,
            {"open_days": [*days(11, 12, 13, 14), *WINDOW], "catch_up_days": 4},
            Due([*WINDOW, *days(14, 13)], days(14, 13), 0, days(12, 11)),
            id="what is beyond the reach is lost",
        ),
        case(
            DAILY,
            {"open_days": [*days(16), *WINDOW], "catch_up_days": 0},
            Due(WINDOW, [], 0, days(16)),
            id="without catch-up, all before the window is lost",
        ),
        case(
            DAILY,
            {"open_days": [*days(2, 3), *WINDOW], "first_daily_date": nov(10)},
            Due([*WINDOW, *days(3)], days(3), 0, []),
            id="nothing before the first daily run's window",
        ),
        case(
            DAILY,
            {"open_days": [*days(16), *WINDOW], "first_daily_date": TODAY},
            Due(WINDOW, [], 0, []),
            id="the first daily run catches nothing up",
        ),
        case(
            replace(DETAIL, today=date(2025, 11, 4)),
            {
                "today": date(2025, 11, 4),
                "first_daily_date": date(2025, 11, 3),
                "open_days": [date(2025, 10, 31), date(2025, 11, 1), date(2025, 11, 3)],
            },
            Due([date(2025, 11, 3), date(2025, 11, 1)], [], 1, []),
            id="nothing before the endpoint's first day",
        ),
        case(
            DAILY,
            {"open_days": [*days(2, 5, 16), *WINDOW], "answered": days(2), "catch_up_days": 0},
            Due([*WINDOW, *days(2)], days(2), 0, days(16, 5)),
            id="however old, a day with a ready answer that is not confirmed",
        ),
        case(
            DAILY,
            {"open_days": [*days(5, 16), *WINDOW], "resting": days(5, 20)},
            Due([*days(23, 22, 21, 19, 18, 17), *days(16)], days(16), 0, [], 2),
            id="no day that rests",
        ),
        case(
            PAST,
            {"open_days": days(9, 8, 7), "resting": days(8)},
            Due(days(9, 7), [], 4, [], 1),
            id="a past run: no day that rests",
        ),
        case(
            DATES,
            {"open_days": days(3, 2, 1), "resting": days(2)},
            Due(days(3, 2, 1), [], 0, []),
            id="a run with dates: one that rests as well",
        ),
        case(
            PAST,
            {"open_days": [*days(1, 3, 9), *WINDOW]},
            Due(days(9, 3), [], 5, []),
            id="a past run: its window, no catch-up",
        ),
        case(
            DATES,
            {"open_days": days(3, 1)},
            Due(days(3, 1), [], 1, []),
            id="a run with dates: these, unless final",
        ),
        case(
            replace(DATES, refetch=True),
            {"open_days": []},
            Due(days(3, 2, 1), [], 0, []),
            id="refetch: final ones too",
        ),
        case(
            DAILY,
            {"open_days": [*days(5, 16), *WINDOW], "catch_up_days": 4, "last_errcodes": [47009]},
            Due(days(23), [], 0, days(5), is_probe=True),
            id="retired: yesterday alone; what is lost is still named",
        ),
        case(
            PAST,
            {"open_days": [*days(9, 8), *WINDOW], "last_errcodes": [47009]},
            Due(days(9), [], 5, [], is_probe=True),
            id="retired: a past run's last day alone",
        ),
        case(
            DATES,
            {"open_days": days(3, 1), "last_errcodes": [47009]},
            Due(days(3, 1), [], 1, []),
            id="retired: the dates named all the same",
        ),
    ],
)
def test_what_is_due(run: Run, facts: dict[str, object], expected: Due) -> None:
    """Of a daily run, every open day within reach."""
    usual = {
        "today": TODAY,
        "first_daily_date": nov(1),
        "catch_up_days": 60,
        "known": known(
            facts.pop("open_days", WINDOW),
            answered=facts.pop("answered", ()),
            resting=facts.pop("resting", ()),
        ),
        "last_errcodes": [],
    }

    assert rules.due(run, **(usual | facts)) == expected


def known(
    open_days: Collection[date], *, answered: Collection[date], resting: Collection[date]
) -> dict[date, Coverage]:
    """Open days as they are known."""
    return {
        day: Coverage(
            day,
            ready_at=at(20) if day in (*answered, *resting) else None,
            is_resting=day in resting,
        )
        for day in open_days
    }


@pytest.mark.parametrize(
    ("run", "listing", "is_probe", "expected"),
    [
        case(DAILY, days(23), False, False, id="a day that is due lists an article"),
        case(DAILY, days(16), False, True, id="only another day does"),
        case(DAILY, (), False, True, id="none does"),
        case(DAILY, (), True, False, id="the endpoint is retired"),
        case(PAST, (), False, False, id="the run is no daily one"),
    ],
)
def test_a_witness_is_asked(
    run: Run, listing: Collection[date], is_probe: bool, expected: bool
) -> None:
    """Of a daily run none of whose due days lists an article."""
    due = Due(days(23, 22), [], 0, [], is_probe=is_probe)
    coverage = {day: Coverage(day, lists_articles=day in listing) for day in days(23, 22, 16)}

    assert rules.lacks_witness(run, due, coverage, TODAY) is expected


# ----------------------------------------------------------------------------------------- ready

UNKNOWN = StillCounting(days(23, 20), has_yesterday=False)
"""On 24 November: articles of two days must get the row of the 23rd, and none has it."""
KNOWN = StillCounting(days(23, 20), has_yesterday=True)
NOBODY = StillCounting([], has_yesterday=False)


@pytest.mark.parametrize(
    ("day", "fetched_at", "counting", "facts", "expected"),
    [
        case(20, at(24, 8, 30), KNOWN, {}, True, id="yesterday's row is there"),
        case(20, at(24, 8, 30), UNKNOWN, {}, False, id="it lists an article that lacks it"),
        case(23, at(24, 8, 30), UNKNOWN, {}, False, id="the pair is yesterday's"),
        case(
            23,
            at(24, 8, 30),
            StillCounting(days(20), has_yesterday=False),
            {},
            False,
            id="the pair is yesterday's, and lists nothing yet",
        ),
        case(21, at(24, 8, 30), UNKNOWN, {}, True, id="another day, without an article"),
        case(16, at(24, 8, 30), UNKNOWN, {}, True, id="a day that does not count any more"),
        case(23, at(24, 8, 30), NOBODY, {}, True, id="no article counts"),
        case(23, at(24, 9, 59, 59), UNKNOWN, {}, False, id="just before the hour"),
        case(23, at(24, 10, 0), UNKNOWN, {}, True, id="from the hour on"),
        case(23, at(24, 10, 0).astimezone(UTC), UNKNOWN, {}, True, id="the hour is Beijing's"),
        case(23, at(24, 9, 0), UNKNOWN, {"ready_hour": 9}, True, id="another hour is set"),
        case(23, at(24, 8, 0), UNKNOWN, {"ready_hour": 0}, True, id="nothing is inferred"),
        case(20, at(24, 11, 0), KNOWN, {"is_delayed": True}, False, id="WeChat says is_delay"),
        case(16, at(24, 11, 0), NOBODY, {"is_delayed": True}, False, id="is_delay of any day"),
    ],
)
def test_an_answer_is_ready(
    day: int,
    fetched_at: datetime,
    counting: StillCounting,
    facts: dict[str, object],
    expected: bool,
) -> None:
    """Unless WeChat has not computed yesterday yet, for the pairs that this concerns."""
    ready_hour = facts.pop("ready_hour", 10)
    answer = Summary(fetched_at, b"a", is_empty=False, **facts)

    assert rules.is_ready(nov(day), answer, counting, ready_hour) is expected


# ----------------------------------------------------------------------------------------- final


def judged(
    *answers: tuple[datetime, str] | tuple[datetime, str, dict[str, object]],
    dataset: Dataset = ARTICLE_TOTAL,
) -> list[rules.Verdict]:
    """
    Ready answers of 10 November, one after the other: when, what they list, and what else.

    Usually they are whole, and the account speaks.
    """
    evidence, verdicts = rules.Evidence(), []
    for fetched_at, listed, *others in answers:
        usual = {"is_whole": True, "speaks": True, "is_delayed": False, "counting": NOBODY}
        facts = usual | dict(*others)
        answer = Summary(fetched_at, listed.encode(), not listed, facts.pop("is_delayed"))
        verdict = rules.verdict(dataset, nov(10), answer, evidence, ready_hour=10, **facts)
        evidence = verdict.evidence
        verdicts.append(verdict)
    return verdicts


GAP = {"is_whole": False}
LATE = {"counting": UNKNOWN}
SILENT = {"speaks": False}
UTC_MIDNIGHT = datetime(2026, 11, 16, 16, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        case([(at(16), "a"), (at(17), "a")], True, id="the same on P+W-1 and P+W"),
        case([(at(15, 23, 59), "a"), (at(17), "a")], False, id="one of P+W-2 proves nothing"),
        case([(at(17, 8), "a"), (at(17, 14), "a")], False, id="two answers of one day"),
        case([(at(17), "a"), (at(18), "a")], True, id="the next day"),
        case([(at(60), "a")], False, id="a first answer long after"),
        case([(at(60), "a"), (at(61), "a")], True, id="confirmed long after"),
        case([(at(16), "a"), (UTC_MIDNIGHT, "a")], True, id="days are Beijing's"),
        case([(at(16), "a"), (UTC_MIDNIGHT - timedelta(seconds=1), "a")], False, id="not UTC's"),
        case([(at(16), "a b"), (at(17), "a")], False, id="an article was left out"),
        case([(at(16), "a"), (at(17), ""), (at(18), "a")], False, id="contradicted between"),
        case([(at(16), "a b"), (at(17), "a"), (at(18), "a")], True, id="it stays away"),
        case([(at(16), "a"), (at(17), "a", GAP)], False, id="not whole on P+W"),
        case([(at(16), "a"), (at(18, 23, 59), "a", GAP)], False, id="not whole on P+W+1"),
        case([(at(16), "a"), (at(19), "a", GAP)], True, id="whatever rows it has on P+W+2"),
        case([(at(16), ""), (at(17), "")], True, id="nothing was published, and it speaks"),
        case([(at(16), ""), (at(17), "", SILENT)], False, id="an account that is silent"),
        case(
            [(at(16), "", SILENT), (at(17), "", SILENT), (at(18), "")],
            False,
            id="silent days prove nothing",
        ),
        case(
            [(at(16), "", SILENT), (at(17), "", SILENT), (at(18), ""), (at(19), "")],
            True,
            id="it speaks on two days",
        ),
        case(
            [(at(16), "a"), (at(17), "", SILENT), (at(18), "a", SILENT)],
            True,
            id="a silent answer contradicts nothing",
        ),
        case(
            [(at(16 + n), "ab"[n % 2], GAP) for n in range(8)],
            False,
            id="a list that has changed seven times",
        ),
        case(
            [(at(16 + n), "ab"[n % 2], GAP) for n in range(9)],
            True,
            id="eight times",
        ),
        case(
            [(at(19, 8 + n), "ab"[n % 2]) for n in range(12)],
            False,
            id="on one day it changes once",
        ),
        case([(at(16), "a"), (at(17), "a", {"is_delayed": True})], False, id="not ready"),
        case(
            [(at(16), "a"), (at(18), "a", GAP), (at(17), "a")],
            False,
            id="an older answer that arrives late makes nothing final",
        ),
        case(
            [(at(16), "a"), (at(18), "a", GAP), (at(17), "b"), (at(18, 9), "a")],
            False,
            id="but it contradicts",
        ),
    ],
)
def test_a_day_is_final(answers: list[tuple[datetime, str]], expected: bool) -> None:
    """By the same list on two days, the later one P+W or later, once it is whole or P+W+2."""
    assert judged(*answers)[-1].is_final is expected


def test_thirty_days_are_final() -> None:
    """From P+W on, which is 10 December."""
    answers = [(at(39), "a"), (at(40), "a")]

    assert [it.is_final for it in judged(*answers, dataset=ARTICLE_TOTAL_DETAIL)] == [False, True]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        case([(at(17), "", SILENT)], True, id="empty at P+W"),
        case([(at(16), "", SILENT)], False, id="empty before it"),
        case([(at(17), "")], False, id="the account speaks"),
        case([(at(16), "a"), (at(17), "", SILENT)], True, id="whole, and nothing is listed now"),
        case([(at(16), "a"), (at(18), "", SILENT | GAP)], False, id="not whole on P+W+1"),
        case([(at(16), "a"), (at(19), "", SILENT | GAP)], True, id="whatever it has on P+W+2"),
        case([(at(17), "", SILENT), (at(18), "a")], False, id="it lists an article"),
        case(
            [(at(17), "", SILENT), (at(18), "", {"is_delayed": True})],
            True,
            id="an answer that is not ready changes nothing",
        ),
        case(
            [(at(17), "", SILENT), (at(18), "a", {"is_delayed": True})],
            False,
            id="unless it lists an article",
        ),
    ],
)
def test_a_day_rests(answers: list[tuple[datetime, str]], expected: bool) -> None:
    """It would be final, but is empty on a day on which the account is silent."""
    assert judged(*answers)[-1].evidence.is_resting is expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        case([(at(11, 9, 59), "")], True, id="empty, before the hour"),
        case([(at(11, 10), "")], False, id="from the hour on"),
        case([(at(11, 11, 59), "", LATE)], True, id="empty, and articles lack yesterday's row"),
        case([(at(11, 10), "", {"counting": KNOWN})], False, id="one of them has it"),
        case([(at(11, 12), "", LATE)], False, id="from noon on"),
        case([(at(11, 11), "a", LATE)], False, id="it lists an article all the same"),
        case([(at(11, 8), "a")], False, id="it lists an article"),
        case([(at(12), "", SILENT)], True, id="empty, and the account is silent"),
        case([(at(16), "a")], False, id="within the window"),
        case([(at(17), "a")], True, id="past it, of one day only"),
        case([(at(17), "a"), (at(18), "a", GAP)], False, id="of two days"),
        case([(at(16), "a"), (at(17), "b")], True, id="another list"),
        case([(at(11, 9), ""), (at(11, 9, 30), "", {"is_delayed": True})], True, id="not ready"),
    ],
)
def test_an_answer_is_provisional(answers: list[tuple[datetime, str]], expected: bool) -> None:
    """Nothing that came early or of a silent day, and what no other day has confirmed."""
    assert judged(*answers)[-1].evidence.is_provisional is expected


@pytest.mark.parametrize(
    ("dataset", "fetched_at", "listed", "facts", "expected"),
    [
        case(ARTICLE_SHARE, at(11), "a", {}, (True, False), id="the morning after"),
        case(ARTICLE_SHARE, at(11), "a", {"is_delayed": True}, (False, False), id="delayed"),
        case(ARTICLE_SHARE, at(11, 9, 59), "", {}, (False, False), id="empty before the hour"),
        case(ARTICLE_SHARE, at(11, 10), "", {}, (True, False), id="empty from the hour on"),
        case(ARTICLE_SHARE, at(12, 23, 59), "a", {}, (True, False), id="the day before S+W"),
        case(ARTICLE_SHARE, at(13, 0, 0), "a", {}, (True, True), id="S+W"),
        case(ARTICLE_SHARE, at(13, 9), "", {}, (False, False), id="empty, early on S+W"),
        case(ARTICLE_SHARE, at(13, 10), "", {}, (True, True), id="empty on S+W"),
        case(ARTICLE_SHARE, at(40), "a", {}, (True, True), id="asked late, for the first time"),
        case(FOLLOWER_TOTAL, at(16), "a", {}, (True, False), id="a stock"),
        case(FOLLOWER_TOTAL, at(17), "a", {}, (True, True), id="a stock on S+W"),
        case(FOLLOWER_TOTAL, at(17, 23), "", {}, (False, False), id="a stock is never empty"),
    ],
)
def test_a_statistics_day_stands_for_itself(
    dataset: Dataset,
    fetched_at: datetime,
    listed: str,
    facts: dict[str, bool],
    expected: tuple[bool, bool],
) -> None:
    """10 November is ready unless delayed, or empty too early; final on S+W, by one answer."""
    answer = Summary(fetched_at, listed.encode(), not listed, **facts)

    found = rules.verdict_of_statistics(dataset, nov(10), answer, rules.Evidence(), ready_hour=10)

    assert (found.is_ready, found.is_final) == expected
    assert found.evidence == rules.Evidence(ready_at=fetched_at if found.is_ready else None)
    assert not rules.lacks_witness(replace(DAILY, dataset=dataset), Due([], [], 0, []), {}, TODAY)


# -------------------------------------------------------------------------------------------- in

OPEN = Coverage(nov(20))
READY = replace(OPEN, ready_at=at(24, 8, 30), fetched_at=at(24, 8, 30))
FINAL = replace(OPEN, ready_at=at(20), is_final=True)
REFUSED = replace(OPEN, attempt_state=AttemptState.FAILED, error_code=rules.OFFLINE)


@pytest.mark.parametrize(
    ("coverage", "planned_at", "refetch", "expected"),
    [
        case(OPEN, at(24), False, False, id="no answer yet"),
        case(READY, at(24, 8, 30), False, True, id="a ready answer at the moment of the plan"),
        case(READY, at(24, 8, 31), False, False, id="a ready answer before the plan"),
        case(
            replace(READY, fetched_at=at(24, 9)),
            at(24, 8, 31),
            False,
            False,
            id="a later answer that was not ready",
        ),
        case(
            replace(READY, attempt_state=AttemptState.FAILED, error_code=48001),
            at(24, 8, 0),
            False,
            True,
            id="ready since the plan, refused later",
        ),
        case(FINAL, at(24), False, True, id="final"),
        case(FINAL, at(24), True, False, id="final, to be fetched again"),
        case(replace(READY, is_final=True), at(24, 8, 0), True, True, id="final, fetched again"),
    ],
)
def test_a_pair_is_in(
    coverage: Coverage, planned_at: datetime, refetch: bool, expected: bool
) -> None:
    """By a ready answer since it was planned, whoever asked."""
    assert rules.is_in(coverage, planned_at, refetch=refetch) is expected


def planned(
    coverage: Coverage = OPEN,
    state: PairState = PairState.PLANNED,
    *,
    is_probe: bool = False,
    is_witness: bool = False,
    is_retryable: bool = False,
) -> PlannedPair:
    """A pair that was planned at 08:00."""
    return PlannedPair(
        "wx",
        "wx",
        "wx",
        nov(20),
        at(24, 8, 0),
        is_probe,
        is_witness,
        state,
        is_retryable,
        coverage,
    )


WITHDRAWN = replace(
    OPEN, attempt_state=AttemptState.FAILED, error_kind=ProblemKind.WITHDRAWN, error_code=61003
)
ODD = replace(
    FINAL, attempt_state=AttemptState.FAILED, ready_at=at(24, 8, 30), attempted_at=at(24, 8, 30)
)
FAILED = PairState.FAILED
NOT_AUTHORISED = replace(WITHDRAWN, error_kind=ProblemKind.CONFIGURATION)


@pytest.mark.parametrize(
    ("pair", "run", "expected"),
    [
        case(planned(), DAILY, True, id="not in"),
        case(planned(READY), DAILY, False, id="in"),
        case(planned(FINAL), DAILY, False, id="final"),
        case(planned(FINAL), REFETCH, True, id="final, to be fetched again"),
        case(planned(ODD, FAILED), DAILY, True, id="final by an answer of which nothing fits"),
        case(planned(ODD, FAILED), REFETCH, True, id="the same, fetched again"),
        case(planned(ODD), DAILY, False, id="final by such an answer of an earlier run"),
        case(
            planned(replace(ODD, attempted_at=at(24, 9, 0)), FAILED),
            DAILY,
            False,
            id="a witness that failed, of a final day",
        ),
        case(planned(REFUSED), DAILY, True, id="offline, of an endpoint that is not retired"),
        case(
            planned(REFUSED, PairState.FAILED, is_probe=True),
            DAILY,
            False,
            id="a probe that finds it offline",
        ),
        case(
            planned(REFUSED, is_probe=True),
            DAILY,
            True,
            id="a probe that was not made, after one that found it offline",
        ),
        case(
            planned(replace(REFUSED, error_code=48001), PairState.FAILED, is_probe=True),
            DAILY,
            True,
            id="a probe that is refused otherwise",
        ),
        case(planned(is_probe=True), DAILY, True, id="a probe that was not made"),
        case(planned(WITHDRAWN, PairState.FAILED), DAILY, False, id="withdrawn"),
        case(planned(WITHDRAWN), DAILY, True, id="found withdrawn by an earlier run"),
        case(
            planned(WITHDRAWN, PairState.FAILED),
            replace(DAILY, accounts=("wx",)),
            True,
            id="withdrawn, and asked for by its name",
        ),
        case(planned(NOT_AUTHORISED, PairState.FAILED), DAILY, True, id="61003 alone"),
    ],
)
def test_a_pair_makes_its_run_red(pair: PlannedPair, run: Run, expected: bool) -> None:
    """It is not in, no probe of a retired endpoint, and of no account that has withdrawn."""
    assert rules.makes_red(pair, run) is expected


@pytest.mark.parametrize(
    ("pair", "refetch", "by_itself", "expected"),
    [
        case(planned(), False, False, True, id="newly planned"),
        case(planned(READY), False, True, True, id="newly planned, though another run has it"),
        case(planned(FINAL), False, False, False, id="final by now"),
        case(planned(FINAL), True, False, True, id="final, to be fetched again"),
        case(planned(READY, PairState.LOADED), False, False, False, id="in"),
        case(planned(READY, FAILED), False, False, False, id="failed, but in by another run"),
        case(
            planned(replace(READY, is_final=True), PairState.LOADED),
            True,
            False,
            False,
            id="fetched again already",
        ),
        case(planned(state=FAILED), False, False, True, id="failed, and a person clears the task"),
        case(planned(state=FAILED), False, True, False, id="failed, for a person to mend"),
        case(planned(state=FAILED, is_retryable=True), False, True, True, id="failed, may pass"),
        case(
            planned(state=PairState.NOT_READY, is_retryable=True),
            False,
            True,
            True,
            id="not ready",
        ),
    ],
)
def test_a_pair_is_to_be_asked(
    pair: PlannedPair, refetch: bool, by_itself: bool, expected: bool
) -> None:
    """A new plan asks for all it names, later tries for what is not in."""
    assert rules.is_to_be_asked(pair, refetch=refetch, by_itself=by_itself) is expected


# --------------------------------------------------------------------- retired, stopped, waiting


@pytest.mark.parametrize(
    ("last_errcodes", "expected"),
    [
        case([], False, id="nothing was asked"),
        case([47009], True, id="all that was asked is offline"),
        case([47009, None], False, id="one was answered"),
        case([47009, 48001], False, id="one was refused otherwise"),
    ],
)
def test_an_endpoint_is_retired(last_errcodes: list[int | None], expected: bool) -> None:
    """The last attempt of every pair in the last window asked for was answered 47009."""
    assert rules.is_retired(last_errcodes) is expected


@pytest.mark.parametrize(
    ("answered_at", "expected"),
    [
        case(at(24, 23, 59, 59), at(25, 0, 0), id="the coming midnight"),
        case(at(25, 0, 0), at(26, 0, 0), id="at midnight, the next one"),
        case(datetime(2026, 11, 24, 16, 0, tzinfo=UTC), at(26, 0, 0), id="midnight is Beijing's"),
    ],
)
def test_a_used_up_quota_stops_the_account(answered_at: datetime, expected: datetime) -> None:
    """Until the Beijing midnight after its answer."""
    assert rules.next_attempt_at(answered_at) == expected


@pytest.mark.parametrize(
    ("run", "now", "expected"),
    [
        case(DAILY, at(24, 8, 31), at(24, 9, 1), id="in half an hour"),
        case(DAILY, at(24, 11, 31, 40), at(24, 12, 0), id="the last time at noon"),
        case(DAILY, at(24, 12, 0), None, id="not after noon"),
        case(DAILY, at(25, 8, 31), None, id="not on another day than the run's"),
        case(replace(DAILY, is_scheduled=False), at(24, 8, 31), None, id="not a run by hand"),
    ],
)
def test_a_run_asks_again(run: Run, now: datetime, expected: datetime | None) -> None:
    """A scheduled one, for what was not ready."""
    assert rules.asks_again_at(run, now) == expected
