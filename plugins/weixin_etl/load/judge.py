"""What the answers of a chunk make of their pairs: the rules, and the words for people (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time

from weixin_etl import rules
from weixin_etl.api.errors import NotReadyError
from weixin_etl.datasets import Dataset
from weixin_etl.load.stage import Staged
from weixin_etl.model import Coverage


def judge(
    dataset: Dataset,
    chunk: Sequence[Staged],
    before: Mapping[date, Coverage],
    heard: datetime | None,
    ready_hour: int,
) -> dict[date, Coverage]:
    """
    What is stored of each day after the attempts of a chunk.

    `heard` is when an article of the account was last listed, by coverage and by the try so far.
    """
    answers = {staged.day: staged.said for staged in chunk if not staged.said.error_kind}
    together = rules.Chunk(answers, heard, dataset.window)
    found = {}
    for staged in chunk:
        day = staged.day
        after = rules.after(before[day], dataset, day, staged.said, together, time(ready_hour))
        found[day] = _with_words(dataset, staged, after)
    return found


def _with_words(dataset: Dataset, staged: Staged, after: Coverage) -> Coverage:
    """With what we have of the answer, and what to say of an attempt that brought nothing."""
    if staged.is_answer and staged.error is None:
        after = replace(
            after,
            fetched_at=staged.said.at,
            through_date=staged.through_date,
            row_count=staged.row_count,
        )
    if after.error_kind is None:
        return after
    error = staged.error or NotReadyError(_why_not_ready(dataset, staged.said))
    at = after.attempted_at
    assert at  # noqa: S101 # every attempt has its instant
    cure = error.problem(staged.account).as_of(at, at).cure
    return replace(after, error=error.happened, cure=cure)


def _why_not_ready(dataset: Dataset, said: rules.Answer) -> str:
    if said.is_delayed:
        return "the answer says is_delay"
    if dataset.describes_articles:
        return "no article has yesterday's row"
    return "the answer has no rows yet"
