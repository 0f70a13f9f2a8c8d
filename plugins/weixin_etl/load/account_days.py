"""
Which account days a load may have changed.

An account day is what all articles of an account gained on a day, stored in `weixin.account_day`.
`affected_days` compares the coverage of each slice before and after a load, and the load marks the
account's days from the first affected one on. `warehouse/account_days.py` computes them again.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from weixin_etl.clock import beijing_date
from weixin_etl.datasets import Dataset
from weixin_etl.load.merge import Merge
from weixin_etl.model import Coverage, Slice


def affected_days(merge: Merge, coverage: Mapping[Slice, Coverage]) -> Iterator[tuple[str, date]]:
    """
    Yield AppIDs with the first account day that a load may have changed, one for a changed slice.

    Args:
        merge: the writer of the load, which knows the state before the load and the written rows.
        coverage: the coverage of each slice after the load.
    """
    for slice_, after in coverage.items():
        (appid, day), first_changed = slice_, merge.changed_from.get(slice_)
        before = merge.stored[slice_].coverage
        first_day = affected_from(merge.dataset, day, before, after, first_changed)
        if first_day:
            yield appid, first_day


def affected_from(
    dataset: Dataset, day: date, before: Coverage, after: Coverage, first_changed: date | None
) -> date | None:
    """
    Return the first account day that a load of one publication day may have changed.

    Args:
        dataset: a dataset of publication days.
        day: the publication day.
        before: the day's coverage before the load.
        after: the day's coverage after the load.
        first_changed: the first day of which the load wrote rows or rejected parts, or None.

    Returns:
        The publication day itself, if the day's articles or its evidence changed. Otherwise the
        earliest of `first_changed`, the day of the earlier ready answer (if a newer one came: days
        from then on became known), and the first day that only one `through_date` reaches. None if
        nothing changed.
    """
    if _evidence(dataset, day, before) != _evidence(dataset, day, after):
        return day
    changed_from = [first_changed]
    if before.ready_date and after.ready_at != before.ready_at:
        changed_from.append(before.ready_date)
    if before.through_date and after.through_date and before.through_date != after.through_date:
        changed_from.append(min(before.through_date, after.through_date) + timedelta(days=1))
    return min((first for first in changed_from if first), default=None)


def _evidence(dataset: Dataset, day: date, coverage: Coverage) -> tuple[object, ...]:
    """Return what decides, beside the rows, whether account days of the day's window are known."""
    window_end = day + timedelta(days=dataset.window)
    ready_on = coverage.ready_date
    listed_on = coverage.listed_since and beijing_date(coverage.listed_since)
    is_confirmed = bool(
        ready_on
        and (
            coverage.settled == "final"
            or ready_on < window_end
            or (listed_on and listed_on < ready_on)
        )
    )
    expected_rows = coverage.through_date and coverage.article_count * (
        (coverage.through_date - day).days + 1
    )
    lacks_rows = coverage.article_count > 0 and coverage.row_count != expected_rows
    return (
        coverage.list_sha256,
        coverage.article_count,
        is_confirmed,
        bool(coverage.attempted_at),
        coverage.through_date is None,
        lacks_rows and (coverage.row_count, coverage.through_date, coverage.settled),
    )
