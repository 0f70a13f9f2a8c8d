"""What the answers of a probe say of an account: as expected or not, and what to change. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from functools import partial
from itertools import pairwise
from urllib.parse import urlsplit

from weixin_etl import clock
from weixin_etl.api.client import SaidQuota
from weixin_etl.api.errors import (
    ClockError,
    DailyQuotaError,
    EndpointOfflineError,
    NotReadyError,
    UnreachableError,
    WeixinError,
)
from weixin_etl.datasets import Dataset, Rows
from weixin_etl.parse import Article, Row
from weixin_etl.probe.asking import Asked, AskedDataset, AskedDay
from weixin_etl.probe.shape import OPTIONAL, Shape, before_row, declared, shape_of
from weixin_etl.text import counted, few_names, one_line

REPORT = "report it, with these lines"
_few = partial(few_names, most=4)
_WECHAT = ".weixin.qq.com"


class Grade(IntEnum):
    """How a finding bears on whether the pipeline will work, the worst last."""

    GOOD = 0
    NOTE = 1
    """Not as expected, and the pipeline copes."""
    UNKNOWN = 2
    """It could not be found out."""
    BAD = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was asked, what came, and what to change."""

    grade: Grade
    asked: str
    came: str
    change: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of an account."""

    findings: dict[str, list[Finding]]
    """Findings on connection and token, under an empty name; then on each dataset, by name."""
    sentence: str
    """Whether the pipeline will work for it, or what is missing."""
    grade: Grade


@dataclass(frozen=True, slots=True)
class Seen:
    """A dataset of an account with its answers taken apart."""

    asked: AskedDataset
    shapes: list[Shape]

    @property
    def dataset(self) -> Dataset:
        return self.asked.dataset

    @property
    def articles(self) -> list[Article]:
        return [article for it in self.shapes for article in it.parsed.articles.values()]

    @property
    def is_offline(self) -> bool:
        """Whether WeChat retired its endpoint, by every answer."""
        return all(isinstance(it.error, EndpointOfflineError) for it in self.asked.days)


def seen(asked: Asked) -> list[Seen]:
    """The datasets that the account was asked for, with their answers taken apart."""
    return [
        Seen(it, [shape_of(it.dataset, day.day, day.answer) for day in it.days if day.answer])
        for it in asked.datasets
    ]


def judge(asked: Asked, datasets: Sequence[Seen]) -> Judged:
    """Judge everything an account was answered."""
    findings = {"": [_connection(asked), *_token(asked)]}
    for it in datasets:
        findings[it.dataset.name] = [*_of_dataset(asked, it)]
    for it in datasets:
        successor = it.dataset.successor and findings.get(it.dataset.successor)
        if it.is_offline and successor and _worst(successor) <= Grade.NOTE:
            those = findings[it.dataset.name]
            those[:] = [replace(one, grade=min(one.grade, Grade.NOTE)) for one in those]
    every = [one for those in findings.values() for one in those]
    return Judged(findings, _sentence(every, datasets, findings), _worst(every))


def grade_of(error: WeixinError) -> Grade:
    """How a refusal bears on whether the pipeline will work."""
    if isinstance(error, NotReadyError):
        return Grade.NOTE
    if error.is_outage or isinstance(error, DailyQuotaError):
        return Grade.UNKNOWN
    return Grade.BAD


def _worst(findings: Sequence[Finding]) -> Grade:
    return max((it.grade for it in findings), default=Grade.UNKNOWN)


def _sentence(
    every: Sequence[Finding], datasets: Sequence[Seen], findings: Mapping[str, Sequence[Finding]]
) -> str:
    working = [
        it.dataset.name
        for it in datasets
        if _worst(findings[it.dataset.name]) <= Grade.NOTE and not it.is_offline
    ]
    worst = _worst(every)
    which = f" with {few_names(working)}" if len(working) < len(datasets) else ""
    if worst <= Grade.NOTE:
        is_silent = not any(it.articles for it in datasets)
        as_far = ", as far as answers without an article tell" if is_silent else ""
        waits = any(it.change == NotReadyError.cure for it in every)
        wait = f" The newest figures are not ready: {NotReadyError.cure}." if waits else ""
        return f"The pipeline will work for this account{which}{as_far}.{wait}"
    wrong = [it for it in every if it.grade is worst]
    missing = "; ".join(dict.fromkeys(it.change or it.came for it in wrong))
    if working:
        return f"The pipeline will work for this account{which} only: {missing}."
    if worst is Grade.UNKNOWN:
        return f"Whether the pipeline will work for this account is not known: {missing}."
    return f"The pipeline will not work for this account yet: {missing}."


# -------------------------------------------------------------------------- connection and token


def _refused(asked: str, error: WeixinError) -> Finding:
    """A row for an error, in the words of the error table."""
    return Finding(grade_of(error), asked, one_line(_happened(error)), error.cure)


def _happened(error: WeixinError) -> str:
    errcode = "" if error.errcode is None else f" (errcode {error.errcode})"
    return f"{error.happened}{errcode}"


def _connection(asked: Asked) -> Finding:
    error, account = asked.error, asked.account
    errors = [error, *(day.error for dataset in asked.datasets for day in dataset.days)]
    if error and account is None:
        return _refused("connection", error)
    for one in errors:
        if isinstance(one, ClockError):
            return _refused("connection", one)
    assert account is not None  # noqa: S101 # else there is an error
    if not asked.content_types:
        if isinstance(error, UnreachableError) and not account.token_url:
            return _refused("connection", error)
        return Finding(Grade.UNKNOWN, "connection", f"{account.base_url} was not asked")
    tls = "over TLS" if account.base_url.startswith("https") else "unencrypted"
    came = f"{account.base_url} answers, {tls}; {_clocks(asked.ahead)}"
    if f".{urlsplit(account.base_url).hostname}".endswith(_WECHAT):
        return Finding(Grade.GOOD, "connection", came)
    return Finding(
        Grade.NOTE,
        "connection",
        f"{came}. It is no host of WeChat's: all that follows is said of it",
    )


def _clocks(ahead: timedelta | None) -> str:
    if ahead is None:
        return "it does not say the time"
    seconds = round(ahead.total_seconds())
    apart = f", {abs(seconds)} s {'ahead' if seconds > 0 else 'behind'}" if abs(seconds) > 1 else ""
    return f"the clocks agree{apart}"


def _token(asked: Asked) -> Iterator[Finding]:
    error, account = asked.error, asked.account
    if account is None or isinstance(error, ClockError):
        return
    if error is None:
        giver = "the token service" if account.token_url else "WeChat"
        yield Finding(Grade.GOOD, "token", f"{giver} gave one")
    elif asked.content_types or account.token_url or not isinstance(error, UnreachableError):
        yield _refused("token", error)


# -------------------------------------------------------------------------------------- a dataset


def _of_dataset(asked: Asked, it: Seen) -> Iterator[Finding]:
    yield _quota(it.asked)
    shapes = {found.day: found for found in it.shapes}
    for day in it.asked.days:
        yield _day(asked, it.dataset, day, shapes.get(day.day))
    if it.articles:
        yield _shape(it)
        yield _promises(it)
    elif it.shapes and all(not found.parsed.unreadable for found in it.shapes):
        later = f"{it.dataset.window} days later"
        if it.dataset.describes_articles:
            later = f"the day after one was published, or {later}"
        yield Finding(
            Grade.NOTE,
            "shape",
            f"not known: no answer lists {_an_item(it.dataset)}",
            f"probe again {later}",
        )


def _an_item(dataset: Dataset) -> str:
    return dataset.item.of if dataset.item else "a row"


def _quota(asked: AskedDataset) -> Finding:
    name, said = "quota", asked.quota
    if isinstance(said, SaidQuota):
        came = f"{said.limit} calls a day, {max(0, said.limit - said.left)} used, {said.left} left"
        return Finding(Grade.GOOD, name, came)
    came = one_line(f"WeChat does not say: {_happened(said)}")
    return Finding(Grade.NOTE, name, came, "nothing: the pipeline counts its calls")


def _day(asked: Asked, dataset: Dataset, day: AskedDay, found: Shape | None) -> Finding:
    name, item = str(day.day), _an_item(dataset).split()[1]
    if day.error:
        return _refused(name, day.error)
    assert found is not None  # noqa: S101 # it was taken apart
    parsed = found.parsed
    if parsed.unreadable:
        return Finding(Grade.BAD, name, f"it cannot be read: {parsed.unreadable}", REPORT)
    if parsed.rejected and not parsed.articles:
        return Finding(Grade.BAD, name, f"no {item} fits: {parsed.rejected[0].reason}", REPORT)
    came = counted(len(parsed.articles), item)
    if dataset.rows_in is Rows.LIST:
        came += f", {counted(parsed.row_count, 'row')}"
    if not parsed.articles:
        came = f"no {item}"
    wait = NotReadyError.cure
    if parsed.is_delayed:
        return Finding(Grade.NOTE, name, f"{came}; is_delay: not the newest figures", wait)
    yesterday = clock.beijing_date(asked.at) - timedelta(days=1)
    last = min(yesterday, day.day + timedelta(days=dataset.row_days - 1))
    reached = max((max(it.rows, default=date.min) for it in parsed.articles.values()), default=last)
    if reached < last:
        return Finding(Grade.NOTE, name, f"{came}; none of {last} yet", wait)
    return Finding(Grade.GOOD, name, came)


def _shape(it: Seen) -> Finding:
    name, known = "shape", declared(it.dataset)
    given = frozenset().union(*(found.given for found in it.shapes))
    odd = {key: what for found in it.shapes for key, what in found.odd.items()}
    missing = known.keys() - given - OPTIONAL
    headline = {f"{before_row(it.dataset)}{metric}" for metric in it.dataset.headline}
    foreign = [found for found in it.shapes if found.charset != "UTF-8"]
    said = []
    if foreign:
        said.append(f"written in {foreign[0].charset or 'an unknown charset'}, not in UTF-8")
    if unknown := sorted(given - known.keys()):
        said.append(f"unknown keys: {_few([one_line(key, 64) for key in unknown])}")
    if missing:
        said.append(f"missing keys: {_few(sorted(missing))}")
    if odd:
        said.append("of another type: " + _few([f"{key} ({odd[key]})" for key in sorted(odd)]))
    if not said:
        return Finding(Grade.GOOD, name, "every key is as declared")
    is_bad = bool(foreign or headline.intersection(missing))
    change = REPORT if is_bad or odd else f"nothing: the pipeline copes; {REPORT}"
    return Finding(Grade.BAD if is_bad else Grade.NOTE, name, "; ".join(said), change)


def _promises(it: Seen) -> Finding:
    name, window = "promises", it.dataset.row_days
    rejected = [part for found in it.shapes for part in found.parsed.rejected]
    if rejected:
        came = f"{counted(len(rejected), 'part')} rejected, the first: {rejected[0].reason}"
        return Finding(Grade.BAD, name, came, REPORT)
    last = timedelta(days=window - 1)
    rows = [row for article in it.articles for row in article.rows.values()]
    said = {
        f"rows beyond {counted(window, 'day')}": sum(
            stat_date > found.day + last
            for found in it.shapes
            for article in found.parsed.articles.values()
            for stat_date in article.rows
        ),
        "totals that fall": sum(fallen(it.dataset, article) for article in it.articles),
        "parts above their whole": sum(parts_above(it.dataset, row) for row in rows),
    }
    broken = [f"{what}: {count}" for what, count in said.items() if count]
    if broken:
        change = f"nothing: the pipeline copes; {REPORT}"
        return Finding(Grade.NOTE, name, "; ".join(broken), change)
    return Finding(
        Grade.GOOD,
        name,
        "all is taken; days within the window, totals never fall, parts within their whole",
    )


def fallen(dataset: Dataset, article: Article) -> int:
    """How many totals of an article are below those of an earlier row."""
    rows = [article.rows[day] for day in sorted(article.rows)]
    totals = [it.name for it in dataset.totals]
    return sum(_is_above(a, name, b, name) for a, b in pairwise(rows) for name in totals)


def parts_above(dataset: Dataset, row: Row) -> int:
    """How many parts of a row are above their whole."""
    parts = [(it.name, it.whole) for it in dataset.metrics if it.whole]
    return sum(_is_above(row, part, row, whole) for part, whole in parts)


def _is_above(first: Row, name: str, second: Row, other: str) -> bool:
    """Whether a value is above another, if both are there."""
    above, below = getattr(first, name), getattr(second, other)
    return None not in (above, below) and above > below
