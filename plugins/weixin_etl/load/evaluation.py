"""What answers make of an account's days: of one chunk, and of all that are kept (pure)."""

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
"""An answer of an account: its day, and when it was seen."""
_ATTEMPT = ("attempted_at", "error_kind", "error_code", "error", "cure")
"""What coverage says of the last attempt."""


def evaluate_chunk(
    dataset: Dataset,
    chunk: Sequence[StagedAnswer],
    before: Mapping[date, Coverage],
    heard: datetime | None,
    ready_hour: int,
) -> dict[date, Coverage]:
    """
    What is stored of each day after the attempts of a chunk.

    `heard` is when an article of the account was last listed, by coverage and by the try so far.
    """
    answers = {one.day: one.evidence for one in chunk if not one.evidence.error_kind}
    together, ready = rules.ChunkEvidence(answers, heard, dataset.window), time(ready_hour)
    found = {}
    for one in chunk:
        after = rules.next_coverage(
            before[one.day], dataset, one.day, one.evidence, together, ready
        )
        found[one.day] = _with_words(dataset, one, after)
    return found


def _with_words(dataset: Dataset, one: StagedAnswer, after: Coverage) -> Coverage:
    """With what we have of the answer, and what to say of an attempt that brought nothing."""
    if one.is_answer and one.error is None:
        after = replace(
            after,
            fetched_at=one.evidence.at,
            through_date=one.through_date,
            newest_date=one.newest_date,
            row_count=one.row_count,
        )
        if one.falls:
            after = replace(after, fell_at=one.evidence.at, fall=largest(one.falls))
    if after.error_kind is None:
        return after
    if after.error_kind == rules.NO_FIGURES_KIND:
        error = WeixinError(ProblemKind.NO_FIGURES)
    else:
        error = one.error or WeixinError(
            ProblemKind.NOT_READY, _why_not_ready(dataset, one.evidence)
        )
    problem = error.problem.with_successor(dataset.successor_dag_id)
    return replace(after, error=problem.cause, cure=problem.cure)


def _why_not_ready(dataset: Dataset, evidence: rules.Evidence) -> Sentence:
    if evidence.is_delayed:
        return sentence("the answer says is_delay")
    if dataset.describes_articles:
        return sentence("no article has yesterday's row")
    return sentence("the answer has no rows yet")


def evaluate_history(
    dataset: Dataset, sightings: Iterable[StagedAnswer], ready_hour: int
) -> tuple[dict[date, Coverage], set[AnswerTime]]:
    """
    What an account's answers make of its days, morning after morning.

    And which of them are ready and say what is listed.
    """
    mornings: defaultdict[date, list[StagedAnswer]] = defaultdict(list)
    heard: dict[date, datetime] = {}
    most: dict[date, int] = {}
    for seen in sorted(sightings, key=lambda seen: seen.evidence.at):
        morning = clock.beijing_date(seen.evidence.at)
        mornings[morning].append(seen)
        most[seen.day] = max(seen.evidence.article_count, most.get(seen.day, 0))
        if seen.lists_articles:
            heard[morning] = seen.evidence.at
    known: dict[date, Coverage] = {}
    ready: set[AnswerTime] = set()
    for morning, its in sorted(mornings.items()):
        last = {seen.day: seen for seen in its}
        answers = last | {seen.day: seen for seen in its if not seen.error}
        unreadable = {day: seen for day, seen in last.items() if seen is not answers[day]}
        for chunk in (answers, unreadable):  # an answer that can't be read takes none away
            before = {day: known.get(day, Coverage()) for day in chunk}
            known |= evaluate_chunk(
                dataset, [*chunk.values()], before, heard.get(morning), ready_hour
            )
        ready |= {
            (seen.day, seen.evidence.at)
            for seen in its
            if _is_ready(seen, answers[seen.day], known[seen.day], ready_hour)
        }
    return {day: replace(row, article_count=most[day]) for day, row in known.items()}, ready


def _is_ready(seen: StagedAnswer, last: StagedAnswer, known: Coverage, ready_hour: int) -> bool:
    """Whether a morning's answer says what is listed: its last one does, if this is an earlier."""
    is_good = (
        known.ready_at == last.evidence.at and known.list_sha256 is not None and not seen.error
    )
    return is_good and (seen is last or clock.beijing(seen.evidence.at)[1].hour >= ready_hour)


def merge_coverage(stored: Coverage, again: Coverage) -> Coverage:
    """
    What is stored of a pair once its answers were folded.

    What a run made of the newest answer stands, but for one that could not be read then.
    """
    newest = stored if stored.attempted_at else again
    has_figures_now = stored.error_kind == rules.NO_FIGURES_KIND != again.error_kind
    if has_figures_now or _is_newer(again.fetched_at, stored.fetched_at):
        newest = again
        if not _is_newer(again.ready_at, stored.ready_at):
            newest = _with(newest, stored, "ready_at", "list_sha256", "listed_since")
        if _is_newer(stored.attempted_at, again.attempted_at):
            newest = _with(newest, stored, *_ATTEMPT)
    elif again.fetched_at == stored.fetched_at:
        newest = _with(newest, again, "through_date", "newest_date", "row_count")
    return replace(
        _with(newest, stored, "fell_at", "fall"),
        settled="final" if "final" in (stored.settled, again.settled) else newest.settled,
        article_count=max(stored.article_count, again.article_count),
    )


def _with(row: Coverage, other: Coverage, *columns: str) -> Coverage:
    return replace(row, **{name: getattr(other, name) for name in columns})


def _is_newer(instant: datetime | None, other: datetime | None) -> bool:
    return instant is not None and (other is None or instant > other)
