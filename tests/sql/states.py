"""
The states of a pair at an instant: one table of cases, for `rules.state` and for its SQL macro.

Times are Beijing's. A day is told as its distance from the window's end: the publication day is the
20th, so that with a window of 7 its window is over on the 27th.
"""

from dataclasses import dataclass
from datetime import date, datetime

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import ARTICLE_TOTAL, FOLLOWER_TOTAL, Dataset
from weixin_etl.model import NOTHING, Coverage, State


def at(text: str) -> datetime:
    """An instant of November 2026 in Beijing, as `24 09:00`."""
    day, _, clock = text.partition(" ")
    local = datetime.fromisoformat(f"2026-11-{day}T{clock}")
    return local.replace(tzinfo=SHANGHAI)


def pair(ready_at: str | None = None, listed: bytes | None = b"some", **rest: str) -> Coverage:
    """A row of coverage; without `ready_at` the only attempt failed."""
    ready = at(ready_at) if ready_at else None
    return Coverage(
        **rest,
        ready_at=ready,
        list_sha256=listed if ready else None,
        attempted_at=ready or at("01 09:00"),
        error_kind=None if ready else "outage",
    )


@dataclass(frozen=True)
class Case:
    """What a pair is called at an instant."""

    why: str
    now: str
    pair: Coverage | None
    state: State
    heard: str | None = None
    since: date | None = date(2026, 11, 1)
    catch_up_days: int = 60
    dataset: Dataset = ARTICLE_TOTAL
    day: date = date(2026, 11, 20)


LATE, OPEN, IN = State.LATE, State.OPEN, State.IN
FINAL, GIVEN_UP, UNCONFIRMED = State.FINAL, State.GIVEN_UP, State.UNCONFIRMED
CASES = [
    Case("settled, whatever the last attempt", "29 12:00", pair(settled="given_up"), GIVEN_UP),
    Case("settled and ready", "29 12:00", pair("29 09:00", settled="final"), FINAL),
    Case("final before it is silent", "29 12:00", pair("29 09:00", None, settled="final"), FINAL),
    # due: today's answer from noon on, yesterday's before
    Case("never asked, not due before noon", "21 11:59", None, OPEN),
    Case("never asked, due at noon", "21 12:00", None, LATE),
    Case("the day itself", "20 23:59", None, OPEN),
    Case("never asked, due since yesterday", "22 00:00", None, LATE),
    Case("refused is not ready", "22 11:59", pair(), LATE),
    Case("yesterday's answer is enough before noon", "22 11:59", pair("21 09:00"), IN),
    Case("and no longer at noon", "22 12:00", pair("21 09:00"), LATE),
    Case("today's is", "22 12:00", pair("22 08:30"), IN),
    Case("an answer of the first minute of the day", "22 12:00", pair("22 00:00"), IN),
    Case("an answer of the last minute of yesterday", "22 12:00", pair("21 23:59"), LATE),
    Case("an empty list is one", "22 12:00", pair("22 08:30", NOTHING), IN),
    Case("silent only when the window is over", "22 12:00", pair("22 08:30", None), IN),
    # unconfirmed: ready when the window was over
    Case("ready on the last morning", "27 12:00", pair("27 00:00"), UNCONFIRMED),
    Case("ready the minute before", "27 11:59", pair("26 23:59"), IN),
    Case("ready the minute before, at noon", "27 12:00", pair("26 23:59"), LATE),
    Case("unconfirmed for long", "30 12:00", pair("28 09:00"), UNCONFIRMED),
    # silent: the window is over, and the newest answer says nothing
    Case("says nothing, on the last morning", "27 12:00", pair("27 09:00", None), UNCONFIRMED),
    Case("says nothing, the day after", "28 00:00", pair("27 09:00", None), State.SILENT),
    Case("asked within the window", "28 12:00", pair("26 09:00", None), LATE),
    Case("heard before", "28 12:00", pair("27 09:00", None), State.SILENT, heard="27 08:59"),
    Case("heard at once", "28 12:00", pair("27 09:00", None), State.UNCONFIRMED, heard="27 09:00"),
    Case("heard since", "28 12:00", pair("27 09:00", None), State.UNCONFIRMED, heard="28 09:00"),
    Case("an empty list is not silence", "28 12:00", pair("27 09:00", NOTHING), UNCONFIRMED),
    # lost: out of reach, and never ready
    Case("before its first run", "28 12:00", None, State.LOST, since=date(2026, 11, 21)),
    Case("on the first day of it", "28 12:00", None, LATE, since=date(2026, 11, 20)),
    Case("refused out of reach", "28 12:00", pair(), State.LOST, since=date(2026, 11, 21)),
    Case("ready once is asked on", "28 12:00", pair("21 09:00"), LATE, since=date(2026, 11, 21)),
    Case("the last day of reach", "28 12:00", None, LATE, catch_up_days=1),
    Case("beyond it, from midnight on", "29 00:00", None, State.LOST, catch_up_days=1),
    Case("not before midnight", "28 23:59", None, LATE, catch_up_days=1),
    Case("no daily run: 60 days", "28 12:00", None, LATE, since=None, day=date(2026, 9, 22)),
    Case("and no more", "28 12:00", None, State.LOST, since=None, day=date(2026, 9, 21)),
    Case("given up, not lost", "28 12:00", pair(settled="given_up"), GIVEN_UP, catch_up_days=0),
    # statistics days
    Case("statistics, not due", "21 11:59", None, OPEN, dataset=FOLLOWER_TOTAL),
    Case("statistics, due", "21 12:00", None, LATE, dataset=FOLLOWER_TOTAL),
    Case("statistics, in", "21 12:00", pair("21 10:00"), IN, dataset=FOLLOWER_TOTAL),
    Case("statistics, lost", "28 12:00", None, State.LOST, dataset=FOLLOWER_TOTAL, catch_up_days=0),
]  # fmt: skip
