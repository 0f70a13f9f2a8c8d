"""Which publication days are due, and when a day's totals have stopped growing (pure)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from weixin_etl import clock
from weixin_etl.datasets import Dataset

_DAY = timedelta(days=1)
_EMPTY_IS_SURE_AT = time(10)
"""Beijing time: before it, an empty list may only mean that WeChat is not ready."""


class DateRangeError(ValueError):
    """The dates of the form can't be asked for. `str()` says why and what to enter."""


@dataclass(frozen=True, slots=True)
class DateRange:
    """Publication days from `first` to `last`, both included; empty when `last` is before it."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first <= day <= self.last

    def days(self) -> list[date]:
        """The days, oldest first."""
        return [self.first + _DAY * offset for offset in range((self.last - self.first).days + 1)]


def look_back_window(dataset: Dataset, today: date, yesterday: date) -> DateRange:
    """
    The days whose totals may still have grown on the day before `today`.

    `today` is the run's day; no day is later than the real `yesterday` or before WeChat's first.
    """
    return DateRange(
        max(today - _DAY * dataset.window, dataset.first_day), min(today - _DAY, yesterday)
    )


def requested_range(
    dataset: Dataset, begin_date: date | None, end_date: date | None, yesterday: date
) -> DateRange | None:
    """
    The days somebody asked for by the form; None when nobody did.

    Raises:
        DateRangeError: they can't be asked for.

    """
    if begin_date is None and end_date is None:
        return None
    if begin_date is None or end_date is None:
        raise DateRangeError("give both begin_date and end_date, or neither")
    if begin_date > end_date:
        raise DateRangeError(f"begin_date {begin_date} is after end_date {end_date}")
    if end_date > yesterday:
        raise DateRangeError(
            f"end_date {end_date} is too late: WeChat knows days up to yesterday in Beijing, "
            f"{yesterday}"
        )
    if begin_date < dataset.first_day:
        raise DateRangeError(
            f"begin_date {begin_date} is too early: {dataset.endpoint} starts on "
            f"{dataset.first_day}"
        )
    return DateRange(begin_date, end_date)


def last_stat_date(dataset: Dataset, publication_date: date) -> date:
    """The last day that counts for a publication day."""
    return publication_date + _DAY * (dataset.window - 1)


def is_past_window(dataset: Dataset, publication_date: date, fetched_at: datetime) -> bool:
    """Whether an answer fetched then can hold the publication day's last row."""
    return clock.beijing_date(fetched_at) > last_stat_date(dataset, publication_date)


def is_empty_for_good(dataset: Dataset, publication_date: date, fetched_at: datetime) -> bool:
    """Whether an empty list fetched then means that nothing was published on the day."""
    first_sure_day = publication_date + _DAY * dataset.window
    first_sure_at = datetime.combine(first_sure_day, _EMPTY_IS_SURE_AT, clock.SHANGHAI)
    return fetched_at >= first_sure_at
