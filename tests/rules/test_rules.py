"""
Check the rules of time and state (`weixin_etl.rules`), with a table of cases for each.

Longer tables stand in tables.yaml, which explains how their words are read. All times are
Beijing's, in November 2026. Unless a table says otherwise, answers are of publication day 10: the
last row of its window of seven days is that of the 16th, ready on the morning of the 17th.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from support import cases

from weixin_etl import clock, rules
from weixin_etl.datasets import (
    ARTICLE_SHARE,
    ARTICLE_TOTAL,
    ARTICLE_TOTAL_DETAIL,
    DATASETS,
    Dataset,
)
from weixin_etl.model import EMPTY_LIST_SHA256, Coverage, Due, ParameterError, Run
from weixin_etl.rules import ChunkEvidence, Evidence

READY_HOUR = time(10)


def nov(day: int) -> date:
    """Return a day of the month; 0 and less are days of earlier months."""
    return date(2026, 11, 1) + timedelta(day - 1)


def days(words: str) -> list[date]:
    """Return days of the month, written as `3 2`; `window` stands for the window of the 24th."""
    return [nov(int(word)) for word in words.replace("window", "23 22 21 20 19 18 17").split()]


def at(day: int, hour: int = 8, minute: int = 30) -> datetime:
    """Return a moment of a day."""
    return datetime.combine(nov(day), time(hour, minute), clock.SHANGHAI)


def moment(words: str) -> datetime | None:
    """Return a moment, written as `24 11:59`, or None for an empty text."""
    day, _, clock_time = words.partition(" ")
    return at(int(day), *map(int, (clock_time or "8:30").split(":"))) if words else None


TODAY = nov(24)
DAILY = Run("daily", ARTICLE_TOTAL, TODAY, is_scheduled=True).dated(TODAY)
DATES = Run("dates", ARTICLE_TOTAL, TODAY, False, nov(1), nov(3), names_dates=True)

# --------------------------------------------------------------------------- the run's own dates


@pytest.mark.parametrize(
    ("run", "first", "last"),
    [
        (DAILY, nov(17), nov(23)),
        (replace(DAILY, today=nov(10)), nov(3), nov(9)),
        (replace(DAILY, today=nov(27)), nov(20), nov(23)),
        (replace(DAILY, dataset=ARTICLE_TOTAL_DETAIL, today=nov(-362)), nov(-364), nov(-363)),
        (replace(DATES, end_date=nov(23)), nov(1), nov(23)),
    ],
)
def test_a_run_covers_its_dates_or_the_window_of_its_day(run: Run, first: date, last: date) -> None:
    """The dates are limited to the dataset's first day and yesterday."""
    dated = run.dated(TODAY)

    assert (dated.begin_date, dated.end_date) == (first, last)


@pytest.mark.parametrize(
    "run",
    [
        *(replace(DATES, end_date=end) for end in (None, TODAY)),
        *(replace(DATES, begin_date=begin) for begin in (nov(4), date(2014, 11, 30))),
        replace(DAILY, today=date(2014, 12, 1)),
    ],
)
def test_dates_that_cannot_be_asked_for_are_refused(run: Run) -> None:
    """Only one date, dates in the wrong order, after yesterday, or before WeChat's first day."""
    with pytest.raises(ParameterError):
        run.dated(TODAY)


# ------------------------------------------------------------------------------------------- due

RUNS = {
    "daily": DAILY,
    "daily refetch": replace(DAILY, refetch=True),
    "dates": DATES,
    "dates refetch": replace(DATES, refetch=True),
    "of the 9th": Run("past", ARTICLE_TOTAL, nov(9)).dated(TODAY),
    "of the 30th": Run("early", ARTICLE_TOTAL, nov(30)).dated(TODAY),
    "shares": Run("daily", ARTICLE_SHARE, TODAY).dated(TODAY),
}
READY = Coverage(None, at(23), b"a", 1, at(23))
"""The coverage after a ready answer of the morning before."""
FINAL = replace(READY, settled="final")
SILENT = replace(READY, list_sha256=None, article_count=0)
REFUSED = Coverage(attempted_at=at(23), error_kind="configuration", error_code=48001)
TODAYS = replace(READY, ready_at=at(24), attempted_at=at(24))
COVERAGES = {
    "never": Coverage(),
    "ready": READY,
    "final": FINAL,
    "old final": replace(FINAL, attempted_at=at(22)),
    "given up": replace(READY, settled="given_up"),
    "ready on 22": replace(READY, ready_at=at(22)),
    "silent": SILENT,
    "silent on 21": replace(SILENT, ready_at=at(21)),
    "silent on 22": replace(SILENT, ready_at=at(22)),
    "empty": replace(SILENT, list_sha256=EMPTY_LIST_SHA256),
    "refused": REFUSED,
    "47009": replace(REFUSED, error_kind="endpoint_offline", error_code=47009),
    "imported": replace(READY, attempted_at=None),
    "today": TODAYS,
    "not ready": replace(TODAYS, error_kind="not_ready"),
}
"""The coverage of a day on the morning of the 24th, by the words of tables.yaml."""


def known_of(words: str) -> dict[date, Coverage]:
    """Return the coverage by day, written as `23 today, 21 final`."""
    named = [entry.partition(" ") for entry in words.split(", ") if entry]
    return {nov(int(day)): COVERAGES[word] for day, _, word in named}


def due_of(words: str) -> Due:
    """
    Return the days to ask for, written as `window with 5, 16 15`.

    First the run's own days, with the control day after `with`; after the comma the older days.
    """
    first, _, older = words.partition(", ")
    first, _, control_day = first.partition(" with ")
    if first.startswith("probe"):
        return Due(days(first.removeprefix("probe")), is_retirement_check=True)
    return Due(
        days(f"{first} {control_day}"), days(older), nov(int(control_day)) if control_day else None
    )


@cases
def test_a_run_asks_for_its_own_days_and_for_open_older_ones(
    run: str, known: str, since: str, reach: str, expected: str
) -> None:
    """A retired endpoint is asked for a single day, to find out whether it works again."""
    due = rules.due_days(RUNS[run], TODAY, known_of(known), nov(int(since)), int(reach))

    assert due == due_of(expected)


def test_no_day_before_the_datasets_first_day_is_asked_for() -> None:
    today = date(2025, 11, 4)
    run = Run("daily", ARTICLE_TOTAL_DETAIL, today).dated(today)

    due = rules.due_days(run, today, {}, date(2025, 10, 1), 3)

    assert due == Due([date(2025, 11, day) for day in (3, 2, 1)])
    assert rules.catch_up_start(run.dataset, today, None, 60) == date(2025, 11, 1)


# ----------------------------------------------------------------------------------------- ready


def evidence_of(words: str) -> Evidence:
    """
    Return an answer, written as `17 8:30 a part`: its time (noon unless given), and its list.

    Each letter of the list is an article; `-` is an empty list. Further words: `part` (a row is
    missing), `row` (yesterday's row is there), `bare` (no figure at all), `news` (a row is new, or
    a total fell), `delayed` (WeChat says `is_delay`).
    """
    day, *rest = words.split()
    clock_time = rest.pop(0) if ":" in rest[0] else "12:00"
    letters, *odd = rest
    when = at(int(day), *map(int, clock_time.split(":"))).astimezone(UTC)
    if letters == "unreadable":
        return Evidence(when, error_kind=letters)
    listed = letters.replace("-", "").encode()
    return Evidence(
        when,
        listed,
        len(listed),
        is_whole=not {"part", "bare"} & {*odd},
        has_yesterday="row" in odd,
        has_figures="bare" not in odd,
        has_news="news" in odd,
        is_delayed="delayed" in odd,
    )


@cases
def test_an_answer_before_the_ready_hour_needs_yesterdays_row(
    dataset: str, answers: str, expected: str
) -> None:
    """The answers of one chunk, fetched on the same Beijing day, are evaluated together."""
    entries = [entry.split(": ") for entry in answers.split(", ")]
    by_day = {nov(int(day)): evidence_of(answer) for day, answer in entries}
    declared = DATASETS[dataset]
    chunk = ChunkEvidence(by_day, None, declared.window)
    kinds = {
        day: rules.next_coverage(Coverage(), declared, day, answer, chunk, READY_HOUR).error_kind
        for day, answer in by_day.items()
    }

    assert kinds == {day: "not_ready" if day in days(expected) else None for day in by_day}


LISTS = Evidence(at(24), b"a", 1)
REFUSAL = Evidence(at(24), error_kind="configuration", error_code=48001)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (REFUSAL, (3, "configuration", 48001)),
        (replace(LISTS, article_count=4, is_delayed=True), (4, "not_ready", None)),
    ],
)
@pytest.mark.parametrize("settled", [None, "final"])
def test_a_refused_or_delayed_call_changes_only_the_attempt(
    answer: Evidence, expected: tuple[Any, ...], settled: str | None
) -> None:
    """A delayed answer also updates the number of articles."""
    before = Coverage(settled, at(17), b"b", 3, at(17), error="48001", cure="mend it")

    stored = rules.next_coverage(
        before, ARTICLE_TOTAL, nov(5), answer, ChunkEvidence({}, None, 7), READY_HOUR
    )

    count, *why = expected
    assert stored == Coverage(settled, at(17), b"b", count, at(24), *why)


# ----------------------------------------------------------------------------------------- final


def settled(*answers: Evidence, dataset: Dataset = ARTICLE_TOTAL) -> str | None:
    """Return how the 10th is settled after the answers, if the account lists articles every day."""
    coverage = Coverage()
    for answer in answers:
        chunk = ChunkEvidence({}, answer.at, dataset.window)
        coverage = rules.next_coverage(coverage, dataset, nov(10), answer, chunk, READY_HOUR)
    return coverage.settled


@cases
def test_a_day_is_final_after_two_dates_with_the_same_list(answers: str, expected: str) -> None:
    """
    P is the publication day, W the window.

    The later answer is of P+W+1 or later and whole, or of P+W+2 or later; the earlier one is of P+W
    or later (0033).
    """
    assert (settled(*map(evidence_of, answers.split(", "))) or "") == expected


@pytest.mark.parametrize(("day", "expected"), [(11, None), (12, None), (13, "final")])
def test_a_statistics_day_is_final_after_a_ready_answer_of_its_last_morning(
    day: int, expected: str | None
) -> None:
    """One answer on the last morning of the window or later is enough."""
    for answer in ("a part", "-"):
        assert settled(evidence_of(f"{day} {answer}"), dataset=ARTICLE_SHARE) == expected


@cases
def test_an_empty_list_is_stored_only_if_another_answer_lists_an_article(
    last_article_at: str, other: str, expected: str
) -> None:
    """Otherwise the answer is ready, but neither confirms another one nor is confirmed."""
    empty = evidence_of("17 -")
    other_answers = {nov(11): evidence_of(other)} if other else {}
    chunk = ChunkEvidence({nov(10): empty} | other_answers, moment(last_article_at), 7)
    for before in (Coverage(), Coverage(None, at(16), b"a", 1), Coverage(None, at(16), None)):
        coverage = rules.next_coverage(before, ARTICLE_TOTAL, nov(10), empty, chunk, READY_HOUR)

        assert (coverage.ready_at, coverage.settled) == (empty.at, None)
        assert coverage.list_sha256 == (empty.list_sha256 if expected else None)


# ----------------------------------------------------------------------------- in, and asked again

PLANNED = at(24, 8, 30)


@cases
def test_a_day_is_satisfied_once_settled_or_answered_since_the_plan(
    state: str, refetch: str, is_in: str, expected: str
) -> None:
    """Any other day fails the run and is requested. A settled control day is requested once."""
    facts: dict[str, dict[str, Any]] = {
        "refused": {"error_kind": "configuration"},
        "attempted": {"attempted_at": PLANNED},
        "final": {"settled": "final"},
    }
    word, _, more = state.partition(", ")
    coverage, again = replace(COVERAGES[word], **facts.get(more, {})), bool(refetch)
    as_control_day, asked = (
        rules.needs_request(coverage, PLANNED, refetch=again, is_control_day=is_control_day)
        for is_control_day in (True, False)
    )

    assert rules.is_satisfied(coverage, PLANNED, refetch=again) is bool(is_in)
    assert (as_control_day, asked) == (bool(expected), not is_in)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, True),
        ({"attempted_at": at(23)}, False),
        ({"settled": "final"}, False),
        ({"error_kind": "no_figures"}, False),
    ],
)
def test_a_day_is_reported_as_given_up_only_by_the_run_that_found_it(
    facts: dict[str, Any], expected: bool
) -> None:
    """Articles without figures are reported too, but fail no run."""
    coverage = replace(COVERAGES["given up"], attempted_at=PLANNED, error_kind="unreadable")

    assert rules.was_given_up_since(replace(coverage, **facts), PLANNED) is expected


@pytest.mark.parametrize(
    ("facts", "now", "expected"),
    [
        ({}, "24 23:59", True),
        ({}, "25 0:00", False),
        ({"attempted_at": at(24, 8, 29)}, "24 9:00", False),
        ({"error_kind": "configuration"}, "24 9:00", False),
        ({"attempted_at": None}, "24 9:00", False),
    ],
)
def test_a_used_up_quota_stops_the_account_until_midnight(
    facts: dict[str, Any], now: str, expected: bool
) -> None:
    refused = replace(REFUSED, attempted_at=PLANNED, error_kind="daily_quota", error_code=45009)

    assert (
        rules.is_quota_used_up(replace(refused, **facts), PLANNED, moment(now) or TODAY) is expected
    )


@cases
def test_a_scheduled_run_polls_until_noon_for_days_that_are_not_ready(
    run: str, now: str, expected: str
) -> None:
    """The run asks again every 30 minutes."""
    assert rules.next_poll_at(RUNS[run], moment(now) or at(24)) == moment(expected)


# ------------------------------------------------------------------------------------------ behind


def answered(words: str) -> dict[date, Coverage]:
    """
    Return coverage by day, written as `23 24 21, 22 24 -`.

    Three words a day: the day, the day of its newest ready answer, and the newest stat_date of its
    articles (`none`: they have no figure; `-`: the answer lists no article).
    """
    known = {}
    for day, ready_day, newest in (each.split() for each in words.split(", ")):
        lists = b"" if newest == "-" else b"a"
        newest_date = nov(int(newest)) if newest.isdigit() else None
        sha256 = lists or EMPTY_LIST_SHA256
        known[nov(int(day))] = Coverage(
            ready_at=at(int(ready_day)), list_sha256=sha256, newest_date=newest_date
        )
    return known


@cases
def test_a_day_is_behind_if_no_article_of_the_window_has_yesterdays_figures(
    dataset: str, known: str, expected: str
) -> None:
    """Only days answered on the newest morning count."""
    behind = rules.behind_days(DATASETS[dataset], answered(known))

    assert behind == sorted(days(expected))
