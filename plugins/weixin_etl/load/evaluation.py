"""
Coverage of an account's days, worked out from answers (pure; no database).

`evaluate_chunk` takes the coverage before a load and the chunk's answers, and returns the coverage
after it. `evaluate_history` does the same for kept answers, morning after morning, and
`merge_coverage` reconciles its result with the stored coverage. The rules themselves are in
`rules.py`. `Load` and `load/history.py` call this module.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time

from weixin_etl import clock, rules
from weixin_etl.datasets import Dataset
from weixin_etl.load.falls import largest
from weixin_etl.load.stage import StagedAnswer
from weixin_etl.model import Coverage
from weixin_etl.problem import ProblemKind, WeixinError
from weixin_etl.sentences import Sentence, sentence

AnswerTime = tuple[date, datetime]
"""One observation of an account's answer: the day asked, and when the answer was observed."""
_READY_COLUMNS = ("ready_at", "list_sha256", "listed_since")
"""The columns of coverage that describe the newest ready answer."""
_ATTEMPT_COLUMNS = ("attempted_at", "error_kind", "error_code", "error", "cure")
"""The columns of coverage that describe the last attempt."""
_LOADED_COLUMNS = ("through_date", "newest_date", "row_count")
"""The columns of coverage that describe the rows of the newest loaded answer."""


def evaluate_chunk(
    dataset: Dataset,
    chunk: Sequence[StagedAnswer],
    before: Mapping[date, Coverage],
    last_article_at: datetime | None,
    ready_hour: int,
) -> dict[date, Coverage]:
    """
    Return the new coverage of each day of the chunk, with texts and cure of an error.

    The chunk's successful answers are evaluated together: each shows whether the account lists
    articles. Nothing is written.

    Args:
        dataset: the dataset that was asked.
        chunk: the account's answers and failed calls, at most one per day.
        before: the stored coverage of each of these days.
        last_article_at: when coverage, or this try so far, last saw an article of the account.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.
    """
    answers = {answer.day: answer.evidence for answer in chunk if not answer.evidence.error_kind}
    together = rules.ChunkEvidence(answers, last_article_at, dataset.window)
    ready_time = time(ready_hour)
    coverage = {}
    for answer in chunk:
        day, evidence = answer.day, answer.evidence
        after = rules.next_coverage(before[day], dataset, day, evidence, together, ready_time)
        coverage[day] = _completed_coverage(dataset, answer, after)
    return coverage


def _completed_coverage(dataset: Dataset, answer: StagedAnswer, after: Coverage) -> Coverage:
    """
    Return the coverage with the columns that the rules do not set.

    If the answer was loaded, these describe its rows, and its largest fall if a total fell. If the
    attempt has an error kind, they are the error's cause and cure.

    Args:
        dataset: the dataset that was asked.
        answer: the answer or failed call.
        after: the coverage that `next_coverage` returned for it.
    """
    if answer.error is None:
        after = replace(
            _with_columns(after, answer, _LOADED_COLUMNS), fetched_at=answer.evidence.at
        )
        if answer.falls:
            after = replace(after, fell_at=answer.evidence.at, fall=largest(answer.falls))
    if after.error_kind is None:
        return after
    if after.error_kind == rules.NO_FIGURES_KIND:
        error = WeixinError(ProblemKind.NO_FIGURES)
    else:
        error = answer.error or WeixinError(
            ProblemKind.NOT_READY, _not_ready_cause(dataset, answer.evidence)
        )
    problem = error.problem.with_successor(dataset.successor_dag_id)
    return replace(after, error=problem.cause, cure=problem.cure)


def _not_ready_cause(dataset: Dataset, evidence: rules.Evidence) -> Sentence:
    """
    Return the sentence that says why an answer without an error is not ready.

    The reason is the flag `is_delay` of the answer. Without the flag, a dataset of articles has no
    row of yesterday, and another dataset has no rows at all.
    """
    if evidence.is_delayed:
        return sentence("the answer says is_delay")
    if dataset.describes_articles:
        return sentence("no article has yesterday's row")
    return sentence("the answer has no rows yet")


def evaluate_history(
    dataset: Dataset, observations: Iterable[StagedAnswer], ready_hour: int
) -> tuple[dict[date, Coverage], set[AnswerTime]]:
    """
    Evaluate an account's kept answers from the first to the last morning.

    All answers of one Beijing day form one chunk, as if a single run had fetched them. If a day was
    answered several times that morning, its last readable answer counts.

    Args:
        dataset: the dataset that was asked.
        observations: the account's answers, in any order, each as observed at one instant.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.

    Returns:
        The coverage of each day after the last morning, and the observations that were ready and
        whose article list may be relied on.
    """
    mornings: defaultdict[date, list[StagedAnswer]] = defaultdict(list)
    last_article_at: dict[date, datetime] = {}
    most_articles: dict[date, int] = {}
    for observation in sorted(observations, key=lambda observation: observation.evidence.at):
        day, evidence = observation.day, observation.evidence
        morning = clock.beijing_date(evidence.at)
        mornings[morning].append(observation)
        most_articles[day] = max(evidence.article_count, most_articles.get(day, 0))
        if observation.lists_articles:
            last_article_at[morning] = evidence.at
    coverage: dict[date, Coverage] = {}
    ready: set[AnswerTime] = set()
    for morning, observed in sorted(mornings.items()):
        last = {answer.day: answer for answer in observed}
        answers = last | {answer.day: answer for answer in observed if not answer.error}
        unreadable = {day: answer for day, answer in last.items() if answer is not answers[day]}
        # Unreadable answers are evaluated second, so the results of readable ones are kept.
        for chunk in (answers, unreadable):
            before = {day: coverage.get(day, Coverage()) for day in chunk}
            coverage |= evaluate_chunk(
                dataset, [*chunk.values()], before, last_article_at.get(morning), ready_hour
            )
        for observation in observed:
            day = observation.day
            if _is_ready(observation, answers[day], coverage[day], ready_hour):
                ready.add((day, observation.evidence.at))
    counted = {day: replace(row, article_count=most_articles[day]) for day, row in coverage.items()}
    return counted, ready


def _is_ready(answer: StagedAnswer, last: StagedAnswer, row: Coverage, ready_hour: int) -> bool:
    """
    Return whether the article list of a morning's answer may be relied on.

    The answer must be readable. The morning's last readable answer of the day must be ready, and
    its list must be known. An earlier answer of the morning counts only from `ready_hour` on.

    Args:
        answer: one of the morning's answers.
        last: the morning's last readable answer of the same day.
        row: the day's coverage after the morning.
        ready_hour: the hour in Beijing by which WeChat has computed yesterday's figures.
    """
    is_last_ready = row.ready_at == last.evidence.at and row.list_sha256 is not None
    is_late_enough = clock.beijing(answer.evidence.at)[1].hour >= ready_hour
    return is_last_ready and not answer.error and (answer is last or is_late_enough)


def merge_coverage(stored: Coverage, replayed: Coverage) -> Coverage:
    """
    Return the coverage to store after a slice's kept answers were evaluated again.

    The stored evaluation is kept, with two exceptions. The replayed one replaces it if it loads a
    newer answer: one that was imported, or that could not be read before. It also replaces it if it
    finds figures where the stored one found none. In both cases a newer ready answer or attempt of
    the stored one is kept.

    If both load the same answer, the numbers and dates of its rows are the replayed ones. A stored
    fall is kept. The day is final if either says so, and the larger number of articles is kept.

    Args:
        stored: the coverage that runs have written; empty if no run has asked.
        replayed: the coverage that `evaluate_history` returned.
    """
    newest = stored if stored.attempted_at else replayed
    has_figures_now = stored.error_kind == rules.NO_FIGURES_KIND != replayed.error_kind
    if has_figures_now or _is_newer(replayed.fetched_at, stored.fetched_at):
        newest = replayed
        if not _is_newer(replayed.ready_at, stored.ready_at):
            newest = _with_columns(newest, stored, _READY_COLUMNS)
        if _is_newer(stored.attempted_at, replayed.attempted_at):
            newest = _with_columns(newest, stored, _ATTEMPT_COLUMNS)
    elif replayed.fetched_at == stored.fetched_at:
        newest = _with_columns(newest, replayed, _LOADED_COLUMNS)
    return replace(
        _with_columns(newest, stored, ("fell_at", "fall")),
        settled="final" if "final" in (stored.settled, replayed.settled) else newest.settled,
        article_count=max(stored.article_count, replayed.article_count),
    )


def _with_columns(
    row: Coverage, source: Coverage | StagedAnswer, columns: Sequence[str]
) -> Coverage:
    """Return the coverage with the values that the source has for these columns."""
    return replace(row, **{name: getattr(source, name) for name in columns})


def _is_newer(instant: datetime | None, other: datetime | None) -> bool:
    """Return whether there is an instant, and it is later than the other one or the only one."""
    return instant is not None and (other is None or instant > other)
