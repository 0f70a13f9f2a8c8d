"""
The rules of time, a table each in tables.yaml or here; all times are Beijing's, in November 2026.

Answers are of publication day 10 November unless a table says otherwise: of its window of seven
days the last row, of the 16th, is ready on the morning of the 17th.
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
    """A day of the month; 0 and less are of the months before."""
    return date(2026, 11, 1) + timedelta(day - 1)


def days(words: str) -> list[date]:
    """Days of the month, as `3 2`; `window` is that of the 24th."""
    return [nov(int(word)) for word in words.replace("window", "23 22 21 20 19 18 17").split()]


def at(day: int, hour: int = 8, minute: int = 30) -> datetime:
    """A moment of a day."""
    return datetime.combine(nov(day), time(hour, minute), clock.SHANGHAI)


def moment(words: str) -> datetime | None:
    """A moment, as `24 11:59`; nothing is none."""
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
def test_a_run_is_about_the_dates_it_names_or_its_mornings_window(
    run: Run, first: date, last: date
) -> None:
    """From the dataset's first day to the real yesterday."""
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
    """One of two, in the wrong order, beyond yesterday, before the first that WeChat has."""
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
"""Answered on the morning before."""
FINAL = replace(READY, settled="final")
SILENT = replace(READY, list_sha256=None, article_count=0)
REFUSED = Coverage(attempted_at=at(23), error_kind="configuration", error_code=48001)
TODAYS = replace(READY, ready_at=at(24), attempted_at=at(24))
PAIRS = {
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
"""What can be known of a pair on the morning of the 24th."""


def known_of(words: str) -> dict[date, Coverage]:
    """As `23 today, 21 final`."""
    named = [entry.partition(" ") for entry in words.split(", ") if entry]
    return {nov(int(day)): PAIRS[word] for day, _, word in named}


def due_of(words: str) -> Due:
    """As `window with 5, 16 15`: the first days with their control_day, then the older ones."""
    first, _, older = words.partition(", ")
    first, _, control_day = first.partition(" with ")
    if first.startswith("probe"):
        return Due(days(first.removeprefix("probe")), is_retirement_check=True)
    return Due(
        days(f"{first} {control_day}"), days(older), nov(int(control_day)) if control_day else None
    )


@cases
def test_what_a_run_asks_for(run: str, known: str, since: str, reach: str, expected: str) -> None:
    """The window with its control_day and what is to be caught up; or its dates; or a probe."""
    due = rules.due_days(RUNS[run], TODAY, known_of(known), nov(int(since)), int(reach))

    assert due == due_of(expected)


def test_no_day_before_the_datasets_first_is_asked_for() -> None:
    """WeChat has none."""
    today = date(2025, 11, 4)
    run = Run("daily", ARTICLE_TOTAL_DETAIL, today).dated(today)

    due = rules.due_days(run, today, {}, date(2025, 10, 1), 3)

    assert due == Due([date(2025, 11, day) for day in (3, 2, 1)])
    assert rules.catch_up_start(run.dataset, today, None, 60) == date(2025, 11, 1)


# ----------------------------------------------------------------------------------------- ready


def evidence_of(words: str) -> Evidence:
    """
    An answer, as `17 8:30 a part`: its time (noon, unless named) and its list (`-` is empty).

    It may be delayed, lack a part, have yesterday's row or no figure at all, or bring news:
    a row that is new, or a total that fell. The rules' clock is Beijing's.
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
def test_what_is_not_ready(dataset: str, answers: str, expected: str) -> None:
    """By the chunk's answers of the same Beijing day."""
    pairs = [entry.split(": ") for entry in answers.split(", ")]
    by_day = {nov(int(day)): evidence_of(answer) for day, answer in pairs}
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
def test_of_a_refusal_only_the_attempt_is_noted(
    answer: Evidence, expected: tuple[Any, ...], settled: str | None
) -> None:
    """What is known of the day stays; of an answer that is not ready its articles count."""
    before = Coverage(settled, at(17), b"b", 3, at(17), error="48001", cure="mend it")

    stored = rules.next_coverage(
        before, ARTICLE_TOTAL, nov(5), answer, ChunkEvidence({}, None, 7), READY_HOUR
    )

    count, *why = expected
    assert stored == Coverage(settled, at(17), b"b", count, at(24), *why)


# ----------------------------------------------------------------------------------------- final


def settled(*answers: Evidence, dataset: Dataset = ARTICLE_TOTAL) -> str | None:
    """What the 10th is after the answers; the account lists an article on every day."""
    pair = Coverage()
    for answer in answers:
        chunk = ChunkEvidence({}, answer.at, dataset.window)
        pair = rules.next_coverage(pair, dataset, nov(10), answer, chunk, READY_HOUR)
    return pair.settled


@cases
def test_a_day_is_final_by_two_days_that_list_the_same(answers: str, expected: str) -> None:
    """The later of `P+W+1` and whole, or of `P+W+2`; the one before of `P+W` or later (0033)."""
    assert (settled(*map(evidence_of, answers.split(", "))) or "") == expected


@pytest.mark.parametrize(("day", "expected"), [(11, None), (12, None), (13, "final")])
def test_a_statistics_day_is_final_by_any_ready_answer_of_its_last_morning(
    day: int, expected: str | None
) -> None:
    """That of `S+W`, or a later one; nothing confirms it."""
    for answer in ("a part", "-"):
        assert settled(evidence_of(f"{day} {answer}"), dataset=ARTICLE_SHARE) == expected


@cases
def test_an_empty_answer_of_a_silent_day_leaves_no_list(
    heard: str, other: str, expected: str
) -> None:
    """It is ready, and says nothing; so it confirms nothing, and nothing confirms it."""
    empty = evidence_of("17 -")
    other_answers = {nov(11): evidence_of(other)} if other else {}
    chunk = ChunkEvidence({nov(10): empty} | other_answers, moment(heard), 7)
    for before in (Coverage(), Coverage(None, at(16), b"a", 1), Coverage(None, at(16), None)):
        pair = rules.next_coverage(before, ARTICLE_TOTAL, nov(10), empty, chunk, READY_HOUR)

        assert (pair.ready_at, pair.settled) == (empty.at, None)
        assert pair.list_sha256 == (empty.list_sha256 if expected else None)


# ----------------------------------------------------------------------------- in, and asked again

PLANNED = at(24, 8, 30)


@cases
def test_a_pair_is_in_once_settled_or_answered_since_the_plan(
    pair: str, refetch: str, is_in: str, expected: str
) -> None:
    """Else the run is red, and a try requests it; a settled control day until it is attempted."""
    facts: dict[str, dict[str, Any]] = {
        "refused": {"error_kind": "configuration"},
        "attempted": {"attempted_at": PLANNED},
        "final": {"settled": "final"},
    }
    word, _, more = pair.partition(", ")
    coverage, again = replace(PAIRS[word], **facts.get(more, {})), bool(refetch)
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
def test_a_day_is_given_up_by_the_run_that_met_it(facts: dict[str, Any], expected: bool) -> None:
    """So that it is told once; articles without figures are told, but fail no run."""
    pair = replace(PAIRS["given up"], attempted_at=PLANNED, error_kind="unreadable")

    assert rules.was_given_up_since(replace(pair, **facts), PLANNED) is expected


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
    """The run that has met it does not meet it again."""
    refused = replace(REFUSED, attempted_at=PLANNED, error_kind="daily_quota", error_code=45009)

    assert (
        rules.is_quota_used_up(replace(refused, **facts), PLANNED, moment(now) or TODAY) is expected
    )


@cases
def test_a_scheduled_run_waits_until_noon_for_what_was_not_ready(
    run: str, now: str, expected: str
) -> None:
    """It asks again every 30 minutes."""
    assert rules.next_poll_at(RUNS[run], moment(now) or at(24)) == moment(expected)


# ------------------------------------------------------------------------------------------ behind


def answered(words: str) -> dict[date, Coverage]:
    """
    Return coverage by day, as `23 24 21, 22 24 -`: each day with that of its newest ready answer.

    Then comes the newest stat_date of its articles, `none` where they have no figure, and `-` where
    it lists none.
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
def test_days_whose_newest_figures_are_missing(dataset: str, known: str, expected: str) -> None:
    """Those answered on the newest morning, if no article of the window has the day before it."""
    behind = rules.behind_days(DATASETS[dataset], answered(known))

    assert behind == sorted(days(expected))
