"""
The rules of time and state, a test each; all times are Beijing's, in November 2026.

Answers are of publication day 10 November unless a test says otherwise: of its window of seven days
the last row, of the 16th, is ready on the morning of the 17th.
"""

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
from weixin_etl.model import NOTHING, Coverage, Due, ParameterError, Run, State
from weixin_etl.rules import Answer, Chunk

case = pytest.param
READY_HOUR = time(10)


def nov(day: int) -> date:
    """A day of the month; 0 and less are of the months before."""
    return date(2026, 11, 1) + timedelta(day - 1)


def days(*numbers: int) -> list[date]:
    """Days of the month."""
    return [nov(number) for number in numbers]


def at(day: int, hour: int = 8, minute: int = 30) -> datetime:
    """A moment of a day."""
    return datetime.combine(nov(day), time(hour, minute), clock.SHANGHAI)


TODAY = nov(24)
WINDOW = days(23, 22, 21, 20, 19, 18, 17)
DAILY = Run("daily", ARTICLE_TOTAL, TODAY, is_scheduled=True).dated(TODAY)
DATES = Run("dates", ARTICLE_TOTAL, TODAY, False, nov(1), nov(3), names_dates=True)


# --------------------------------------------------------------------------- the run's own dates


SUCCESSOR = replace(DAILY, dataset=ARTICLE_TOTAL_DETAIL)


@pytest.mark.parametrize(
    ("run", "first", "last"),
    [
        case(DAILY, nov(17), nov(23), id="seven days up to yesterday"),
        case(replace(DAILY, today=nov(10)), nov(3), nov(9), id="of an earlier morning, its own"),
        case(replace(DAILY, today=nov(27)), nov(20), nov(23), id="up to the real yesterday"),
        case(replace(SUCCESSOR, today=nov(-362)), nov(-364), nov(-363), id="from the first day on"),
        case(DATES, nov(1), nov(3), id="the days named"),
        case(replace(DATES, end_date=nov(23)), nov(1), nov(23), id="the real yesterday too"),
    ],
)
def test_a_run_is_about_the_dates_it_names_or_its_mornings_window(
    run: Run, first: date, last: date
) -> None:
    """`end_date` is at most the real yesterday."""
    dated = run.dated(TODAY)

    assert (dated.begin_date, dated.end_date) == (first, last)


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (replace(DATES, end_date=None), "both begin_date and end_date, or neither"),
        (replace(DATES, begin_date=nov(4)), "2026-11-04 is after end_date 2026-11-03"),
        (replace(DATES, end_date=TODAY), "end_date 2026-11-24 is too late"),
        (replace(DATES, begin_date=date(2014, 11, 30)), "begin_date 2014-11-30 is too early"),
        (replace(DAILY, today=date(2014, 12, 1)), "nothing can be asked for on 2014-12-01"),
    ],
)
def test_dates_that_cannot_be_asked_for_are_refused(run: Run, why: str) -> None:
    """With a sentence for the form."""
    with pytest.raises(ParameterError, match=why):
        run.dated(TODAY)


# ------------------------------------------------------------------------------------------- due


def due(known: dict[int, Coverage], run: Run = DAILY, since: int = -90, catch_up: int = 60) -> Due:
    """What a run asks for on the 24th, by what is known of days of the month."""
    coverage = {nov(day): pair for day, pair in known.items()}
    return rules.due(run, TODAY, coverage, nov(since), catch_up)


FINAL = Coverage("final", at(23), b"a", 1, at(23))
READY = Coverage(None, at(23), b"a", 1, at(23))
"""Answered on the morning before."""
SILENT = replace(READY, list_sha256=None, article_count=0)
LISTED = replace(READY, ready_at=at(22))
REFUSED = Coverage(attempted_at=at(23), error_kind="forbidden", error_code=48001)
OFFLINE = replace(REFUSED, error_kind="offline", error_code=47009)
SPOKEN = {23: replace(READY, ready_at=at(24), attempted_at=at(24))}
"""The newest day lists an article, so no witness is asked."""


def test_a_daily_run_asks_for_every_open_day_in_reach() -> None:
    """Newest first, none that is settled; an account's first run has no day before its window."""
    assert due(SPOKEN, since=17) == Due(WINDOW)
    given_up = replace(FINAL, settled="given_up")
    known = SPOKEN | {21: FINAL, 16: given_up, 15: REFUSED, 14: READY, 13: FINAL}

    assert due(known, since=12) == Due(days(23, 22, 20, 19, 18, 17), days(15, 14, 12))


def test_days_beyond_the_reach_are_asked_for_if_once_ready() -> None:
    """Since the account's first day; older than the window and `catch_up_days`."""
    given_up = replace(REFUSED, settled="given_up")
    known = SPOKEN | {13: READY, 12: REFUSED, 11: FINAL, 8: given_up, 2: READY, 1: REFUSED}

    assert due(known, since=8, catch_up=3) == Due(WINDOW, days(16, 15, 14, 13, 2))


def test_no_day_before_the_datasets_first_is_asked_for() -> None:
    """WeChat has none."""
    today = date(2025, 11, 4)
    run = Run("daily", ARTICLE_TOTAL_DETAIL, today).dated(today)

    due = rules.due(run, today, {}, date(2025, 10, 1), 3)

    assert due == Due([date(2025, 11, day) for day in (3, 2, 1)])


@pytest.mark.parametrize(
    ("known", "older"),
    [
        case({23: LISTED, 16: SILENT}, [], id="an article was listed before"),
        case({16: SILENT}, [], id="none ever was"),
        case({23: SPOKEN[23], 16: SILENT}, days(16), id="one was listed since"),
        case({23: LISTED, 16: replace(SILENT, ready_at=at(22))}, days(16), id="before P+W"),
        case({23: LISTED, 16: replace(SILENT, list_sha256=NOTHING)}, days(16), id="not silent"),
    ],
)
def test_a_silent_day_is_left_alone_until_a_later_answer_lists_an_article(
    known: dict[int, Coverage], older: list[date]
) -> None:
    """If its newest answer is of `P+W` or later; within the window a silent day is asked."""
    assert due(known | {20: SILENT}, since=16) == Due(WINDOW, older)


def test_a_day_beyond_the_window_is_not_asked_twice_on_a_day() -> None:
    """Only another day's answer can confirm it; what was not ready is asked again."""
    today = replace(READY, ready_at=at(24, 0, 5))
    not_ready = replace(today, error_kind="not_ready")

    assert due(SPOKEN | {17: today, 16: today, 15: not_ready}, since=15) == Due(WINDOW, days(15))


@pytest.mark.parametrize(
    ("known", "witness"),
    [
        case({5: LISTED, 4: FINAL}, 5, id="of the same age the newest"),
        case({5: LISTED, 4: replace(FINAL, attempted_at=at(22))}, 4, id="asked longest ago"),
        case({5: LISTED, 4: REFUSED, 3: SILENT}, 5, id="only of days with articles"),
        case({5: replace(LISTED, settled="given_up"), 4: FINAL}, 4, id="not one given up"),
        case({5: LISTED, 20: SILENT}, 5, id="the window says nothing"),
        case({5: LISTED, 20: READY}, None, id="the window lists one"),
        case({20: SILENT}, None, id="no day has any"),
    ],
)
def test_a_witness_is_asked_where_the_window_lists_no_article(
    known: dict[int, Coverage], witness: int | None
) -> None:
    """The day with articles attempted longest ago, settled or not, in the first chunk."""
    asked = due(known, since=17)

    assert asked.witness == (witness and nov(witness))
    assert asked.first == WINDOW + days(*([witness] if witness else []))
    assert asked.witness not in asked.older
    statistics = Run("daily", ARTICLE_SHARE, TODAY).dated(TODAY)
    assert due(known, statistics, since=21).witness is None


@pytest.mark.parametrize(
    ("run", "older"),
    [
        case(DATES, days(3, 1), id="its dates less settled ones"),
        case(replace(DATES, refetch=True), days(3, 2, 1), id="refetch: all"),
        case(Run("past", ARTICLE_TOTAL, nov(9)).dated(TODAY), days(8, 7, 6, 5, 4, 3), id="past"),
        case(Run("early", ARTICLE_TOTAL, nov(30)).dated(TODAY), days(23), id="of a later morning"),
    ],
)
def test_any_other_run_asks_for_its_dates(run: Run, older: list[date]) -> None:
    """Silent ones too; it catches nothing up and has no witness."""
    assert due({3: SILENT, 2: FINAL}, run, catch_up=3) == Due(older=older)


def test_a_refetch_without_dates_asks_for_settled_days_too() -> None:
    """What was ever ready, or can be caught up."""
    run = replace(DAILY, refetch=True)
    known = SPOKEN | {17: FINAL, 16: FINAL, 15: FINAL}

    assert due(known, run, since=14, catch_up=1) == Due(WINDOW, days(16))


PROBE = Due(days(23), is_probe=True)
IMPORTED = replace(READY, attempted_at=None)
PAST = Run("past", ARTICLE_TOTAL, nov(9)).dated(TODAY)


@pytest.mark.parametrize(
    ("run", "known", "expected"),
    [
        case(DAILY, {23: OFFLINE, 22: OFFLINE, 21: READY}, PROBE, id="yes"),
        case(DAILY, {20: OFFLINE, 19: OFFLINE}, PROBE, id="after a pause"),
        case(DAILY, {23: OFFLINE, 22: READY, 21: OFFLINE}, Due(WINDOW), id="only one of the two"),
        case(DAILY, {23: READY, 22: OFFLINE, 21: OFFLINE}, Due(WINDOW), id="back"),
        case(DAILY, {23: OFFLINE}, Due(WINDOW), id="only one was ever asked for"),
        case(DAILY, {23: IMPORTED, 22: OFFLINE, 21: OFFLINE}, PROBE, id="imported, not asked for"),
        case(DATES, {23: OFFLINE, 22: OFFLINE}, Due(older=days(3, 2, 1)), id="with dates"),
        case(PAST, {23: OFFLINE, 22: OFFLINE}, Due(days(8), is_probe=True), id="of the past"),
    ],
)
def test_a_retired_endpoint_is_asked_for_one_day(
    run: Run, known: dict[int, Coverage], expected: Due
) -> None:
    """Answered 47009 on the two newest days ever asked for; a run with dates asks all the same."""
    assert due(known, run, since=17) == expected


# ----------------------------------------------------------------------------------------- ready


def judged(
    answers: dict[int, Answer], dataset: Dataset = ARTICLE_TOTAL, heard: datetime | None = None
) -> dict[int, str | None]:
    """Why a chunk's answers brought nothing, by day of the month; None if they are ready."""
    chunk = Chunk({nov(day): answer for day, answer in answers.items()}, heard, dataset.window)
    return {
        day: rules.after(Coverage(), dataset, nov(day), answer, chunk, READY_HOUR).error_kind
        for day, answer in answers.items()
    }


@pytest.mark.parametrize(
    ("asked_at", "not_ready"),
    [
        case(at(24, 8, 30), {23, 17}, id="before the hour"),
        case(at(24, 9, 59), {23, 17}, id="just before it"),
        case(at(24, 10, 0), set(), id="from the hour on"),
        case(at(24, 10, 0).astimezone(UTC), set(), id="the hour is Beijing's"),
    ],
)
def test_a_window_without_yesterdays_row_is_not_ready_before_the_hour(
    asked_at: datetime, not_ready: set[int]
) -> None:
    """Up to `P+W`, whatever a day lists itself; older days wait for no row, and have none."""
    lists = Answer(asked_at, b"a", 1)
    answers = {23: Answer(asked_at), 17: lists, 16: replace(lists, has_yesterday=True)}

    assert judged(answers) == {
        day: "not_ready" if day in not_ready else None for day in (23, 17, 16)
    }


@pytest.mark.parametrize(
    ("answers"),
    [
        case(
            {23: Answer(at(24)), 21: Answer(at(24), b"a", 1, has_yesterday=True)}, id="one has it"
        ),
        case({23: Answer(at(24)), 21: Answer(at(24))}, id="the window lists nothing"),
        case({23: Answer(at(24)), 16: Answer(at(24), b"a", 1)}, id="only an older day does"),
    ],
)
def test_before_the_hour_nothing_else_is_waited_for(answers: dict[int, Answer]) -> None:
    """A row of yesterday shows that WeChat has computed it, and who publishes nothing has none."""
    assert set(judged(answers).values()) == {None}


def test_a_row_that_came_before_midnight_is_not_that_of_the_next_days_yesterday() -> None:
    """A chunk may be asked over midnight: each answer is judged by those of its own day."""
    before = Answer(at(23, 23, 59), b"a", 1, has_yesterday=True)
    after = replace(before, at=at(24, 0, 0), has_yesterday=False)

    assert judged({22: before, 21: after}) == {22: None, 21: "not_ready"}


def test_an_answer_with_is_delay_is_not_ready_at_any_hour() -> None:
    """WeChat says so; what it listed counts towards the most ever listed."""
    answer = Answer(at(24, 13), b"a", 2, has_yesterday=True, is_delayed=True)

    before = Coverage(None, at(23), b"b", 1, at(23), error="48001", cure="mend it")
    stored = rules.after(before, ARTICLE_TOTAL, nov(5), answer, Chunk({}, None, 7), READY_HOUR)

    assert stored == Coverage(None, at(23), b"b", 2, at(24, 13), "not_ready")


@pytest.mark.parametrize(("kind", "code"), [("not_ready", 61503), ("forbidden", 48001)])
@pytest.mark.parametrize("settled", [None, "final"])
def test_of_a_refusal_only_the_attempt_is_noted(kind: str, code: int, settled: str | None) -> None:
    """What is known of the day stays."""
    before = Coverage(settled, at(17), b"a", 3, at(17))
    refusal = Answer(at(24), error_kind=kind, error_code=code)
    stored = rules.after(before, ARTICLE_TOTAL, nov(10), refusal, Chunk({}, None, 7), READY_HOUR)

    assert stored == Coverage(settled, at(17), b"a", 3, at(24), kind, code)


@pytest.mark.parametrize(
    ("dataset", "row_count", "asked_at", "expected"),
    [
        case(ARTICLE_SHARE, 0, at(24, 9, 59), "not_ready", id="empty, before the hour"),
        case(ARTICLE_SHARE, 0, at(24, 10, 0), None, id="empty, from the hour on"),
        case(ARTICLE_SHARE, 2, at(24, 8, 30), None, id="with rows, at once"),
        case(FOLLOWER_TOTAL, 0, at(24, 13, 0), "not_ready", id="a stock is never empty"),
        case(FOLLOWER_TOTAL, 1, at(24, 8, 30), None, id="a stock"),
    ],
)
def test_an_empty_statistics_day_is_not_ready_before_the_hour(
    dataset: Dataset, row_count: int, asked_at: datetime, expected: str | None
) -> None:
    """Nor at all where a day can't be empty."""
    assert judged({23: Answer(asked_at, article_count=row_count)}, dataset) == {23: expected}


# ----------------------------------------------------------------------------------------- final


def settled(*answers: Answer, dataset: Dataset = ARTICLE_TOTAL) -> list[str | None]:
    """What the 10th is after each answer; the account lists an article on every day."""
    pair, after = Coverage(), []
    for answer in answers:
        chunk = Chunk({}, answer.at, dataset.window)
        pair = rules.after(pair, dataset, nov(10), answer, chunk, READY_HOUR)
        after.append(pair.settled)
    return after


def lists(day: int, what: bytes = b"a", **facts: bool) -> Answer:
    """A ready answer of a day at noon."""
    return Answer(at(day, 12), what, len(what.strip()), **facts)


PART = {"is_whole": False}
EMPTY = Answer(at(17, 12))


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        case([lists(16), lists(17)], "final", id="P+W-1 and P+W"),
        case([lists(15), lists(17)], None, id="the one before is of P+W-2"),
        case([lists(15), lists(16)], None, id="before P+W"),
        case([lists(17), lists(17)], None, id="twice on one day"),
        case([lists(30)], None, id="one answer"),
        case([lists(16), lists(17, b"b"), lists(18)], None, id="another list between"),
        case([lists(16), lists(17, is_delayed=True), lists(18)], "final", id="not ready between"),
        case([lists(16, **PART), lists(18, **PART)], None, id="lacks rows on P+W+1"),
        case([lists(16, **PART), lists(19, **PART)], "final", id="whatever rows on P+W+2"),
        case([EMPTY, replace(EMPTY, at=at(18, 12))], "final", id="empty, while others list"),
    ],
)
def test_a_day_is_final_by_two_days_that_list_the_same(
    answers: list[Answer], expected: str | None
) -> None:
    """The later of `P+W` or later and whole, or of `P+W+2`; the one before of `P+W-1` or later."""
    assert settled(*answers)[-1] == expected


def test_what_is_final_stays_final() -> None:
    """A refetch may list something else."""
    assert settled(lists(16), lists(17), lists(24, b"b", is_delayed=True), lists(24, b"b")) == [
        None,
        *["final"] * 3,
    ]


@pytest.mark.parametrize(("day", "expected"), [(11, None), (12, None), (13, "final")])
def test_a_statistics_day_is_final_by_any_ready_answer_of_its_last_morning(
    day: int, expected: str | None
) -> None:
    """That of `S+W`, or a later one; nothing confirms it."""
    assert settled(lists(day, **PART), dataset=ARTICLE_SHARE) == [expected]
    assert settled(Answer(at(day, 12)), dataset=ARTICLE_SHARE) == [expected]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        case([lists(18)], [None], id="P+W+1"),
        case([lists(19)], ["given_up"], id="P+W+2"),
        case([lists(19), lists(20)], ["given_up", "given_up"], id="again"),
    ],
)
def test_a_day_whose_last_answer_cannot_be_read_is_given_up(
    answers: list[Answer], expected: list[str | None]
) -> None:
    """From `P+W+2` on, until one that can be read; a final one stays final."""
    unreadable = [replace(it, article_count=0, error_kind="unreadable") for it in answers]

    assert settled(*unreadable) == expected
    assert settled(*unreadable, lists(21), lists(22))[-2:] == [None, "final"]
    assert settled(lists(16), lists(17), *unreadable)[-1] == "final"


@pytest.mark.parametrize(
    ("others", "heard", "expected"),
    [
        case({}, None, None, id="nothing else is listed"),
        case({}, at(16, 23, 59), None, id="it was on the day before"),
        case({}, at(17, 0, 0), NOTHING, id="it was earlier on that day"),
        case({nov(11): lists(17)}, None, NOTHING, id="another answer lists one"),
        case({nov(11): lists(17, is_delayed=True)}, None, NOTHING, id="one that is not ready does"),
    ],
)
def test_an_empty_answer_of_a_silent_day_leaves_no_list(
    others: dict[date, Answer], heard: datetime | None, expected: bytes | None
) -> None:
    """It is ready, and says nothing; so it confirms nothing, and nothing confirms it."""
    chunk = Chunk({nov(10): EMPTY} | others, heard, 7)
    for before in (Coverage(), Coverage(None, at(16), b"a", 1), Coverage(None, at(16), None)):
        pair = rules.after(before, ARTICLE_TOTAL, nov(10), EMPTY, chunk, READY_HOUR)

        assert (pair.ready_at, pair.list_sha256, pair.settled) == (at(17, 12), expected, None)


# ----------------------------------------------------------------------------- in, and asked again

PLANNED = at(24, 8, 30)
SINCE = replace(READY, ready_at=PLANNED, attempted_at=PLANNED)


@pytest.mark.parametrize(
    ("pair", "refetch", "expected"),
    [
        case(None, False, False, id="never asked for"),
        case(READY, False, False, id="answered before the plan"),
        case(SINCE, False, True, id="answered since, whoever asked"),
        case(replace(SINCE, error_kind="forbidden"), False, True, id="and refused again"),
        case(FINAL, False, True, id="settled"),
        case(FINAL, True, False, id="settled, to be fetched again"),
        case(replace(SINCE, settled="final"), True, True, id="fetched again"),
    ],
)
def test_a_pair_is_in_once_settled_or_answered_since_the_plan(
    pair: Coverage | None, refetch: bool, expected: bool
) -> None:
    """Else the run is red, and a further try asks for it again."""
    known = pair or Coverage()
    assert rules.is_in(known, PLANNED, refetch=refetch) is expected
    asked = rules.is_to_be_asked(known, PLANNED, refetch=refetch, is_witness=False)
    assert asked is not expected


def test_a_settled_witness_is_asked_once() -> None:
    """It is in by being settled, and asked until somebody has attempted it since the plan."""
    refused = replace(FINAL, attempted_at=PLANNED, error_kind="forbidden")

    assert rules.is_to_be_asked(FINAL, PLANNED, refetch=False, is_witness=True)
    assert not rules.is_to_be_asked(refused, PLANNED, refetch=False, is_witness=True)
    assert rules.is_to_be_asked(REFUSED, PLANNED, refetch=False, is_witness=True)


def test_a_day_is_given_up_by_the_run_that_met_it() -> None:
    """So that it is told once."""
    given_up = replace(FINAL, settled="given_up", attempted_at=PLANNED)

    assert rules.is_given_up_since(given_up, PLANNED)
    assert not rules.is_given_up_since(replace(given_up, attempted_at=at(23)), PLANNED)
    assert not rules.is_given_up_since(replace(given_up, settled="final"), PLANNED)


@pytest.mark.parametrize(
    ("facts", "now", "expected"),
    [
        case({}, at(24, 23, 59), True, id="on that day"),
        case({}, at(25, 0, 0), False, id="from midnight on"),
        case({"attempted_at": at(24, 8, 29)}, at(24, 9), False, id="found before the plan"),
        case({"error_kind": "forbidden"}, at(24, 9), False, id="another refusal"),
        case({"attempted_at": None}, at(24, 9), False, id="imported"),
    ],
)
def test_a_used_up_quota_stops_the_account_until_midnight(
    facts: dict[str, object], now: datetime, expected: bool
) -> None:
    """The run that has met it does not meet it again."""
    met = replace(REFUSED, attempted_at=PLANNED, error_kind="daily_quota", error_code=45009)

    assert rules.is_used_up(replace(met, **facts), PLANNED, now) is expected


@pytest.mark.parametrize(
    ("run", "now", "expected"),
    [
        case(DAILY, at(24, 8, 31), at(24, 9, 1), id="in half an hour"),
        case(DAILY, at(24, 11, 31), at(24, 12, 0), id="at noon for the last time"),
        case(DAILY, at(24, 12, 0), None, id="not from noon on"),
        case(DAILY, at(25, 8, 31), None, id="not on another day than the run's"),
        case(replace(DAILY, is_scheduled=False), at(24, 8, 31), None, id="not a run by hand"),
    ],
)
def test_a_scheduled_run_waits_until_noon_for_what_was_not_ready(
    run: Run, now: datetime, expected: datetime | None
) -> None:
    """It asks again every 30 minutes."""
    assert rules.asks_again_at(run, now) == expected


# ----------------------------------------------------------------------------------------- state

SPOKEN_AT_MIDNIGHT = replace(READY, ready_at=at(24, 0, 0))


@pytest.mark.parametrize(
    ("day", "pair", "heard", "now", "expected"),
    [
        case(10, FINAL, None, at(24), State.FINAL, id="settled"),
        case(1, replace(REFUSED, settled="given_up"), None, at(24), State.GIVEN_UP, id="given up"),
        case(2, REFUSED, None, at(24), State.LOST, id="before the reach, never ready"),
        case(2, None, None, at(24), State.LOST, id="before the reach, never asked for"),
        case(2, READY, None, at(24), State.UNCONFIRMED, id="before the reach, once ready"),
        case(3, REFUSED, None, at(24), State.LATE, id="in reach"),
        case(16, SILENT, at(22), at(24, 0, 0), State.SILENT, id="silent, beyond the window"),
        case(16, SILENT, at(22), at(23, 23, 59), State.UNCONFIRMED, id="silent, within it"),
        case(16, SILENT, at(23, 9), at(24), State.UNCONFIRMED, id="silent until heard"),
        case(15, replace(SILENT, ready_at=at(21)), None, at(24), State.LATE, id="silent too early"),
        case(16, READY, None, at(24), State.UNCONFIRMED, id="ready on P+W"),
        case(17, READY, None, at(24, 11, 59), State.IN, id="ready yesterday, until noon"),
        case(17, READY, None, at(24, 12, 0), State.LATE, id="ready yesterday, from noon on"),
        case(18, SPOKEN_AT_MIDNIGHT, None, at(24, 12, 0), State.IN, id="ready today"),
        case(22, REFUSED, None, at(24, 11, 59), State.LATE, id="due yesterday"),
        case(23, REFUSED, None, at(24, 11, 59), State.OPEN, id="due today, until noon"),
        case(23, None, None, at(24, 12, 0), State.LATE, id="due today, from noon on"),
        case(24, None, None, at(24, 23, 59), State.OPEN, id="due tomorrow"),
        case(24, None, None, at(25, 0, 0), State.OPEN, id="tomorrow"),
    ],
)
def test_a_pair_is_called_by_the_first_word_that_holds(
    day: int, pair: Coverage | None, heard: datetime | None, now: datetime, expected: State
) -> None:
    """Daily runs reach back to the 3rd; the clock is Beijing's."""
    known = pair or Coverage()
    for moment in (now, now.astimezone(UTC)):
        state = rules.state(ARTICLE_TOTAL, nov(day), known, reach=nov(3), heard=heard, now=moment)
        assert state is expected


@pytest.mark.parametrize(
    ("since", "expected"), [(None, nov(-43)), (nov(-50), nov(-43)), (nov(1), nov(1))]
)
def test_daily_runs_reach_back_to_the_first_or_so_many_days(
    since: date | None, expected: date
) -> None:
    """Window and `catch_up_days` before today; never before the dataset's first day."""
    first_day = ARTICLE_TOTAL_DETAIL.first_day

    assert rules.reach(ARTICLE_TOTAL, TODAY, since, 60) == expected
    assert rules.reach(ARTICLE_TOTAL_DETAIL, date(2025, 11, 20), None, 60) == first_day
