"""What an answer says: articles with their rows, what a value may be, and what does not fit."""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from weixin_etl.datasets import Dataset, Kind
from weixin_etl.model import DataState

ATTRIBUTES = ("title", "url", "content_url", "publish_type", "user_source")
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")


class UnreadableAnswerError(Exception):
    """No articles can be made out in the answer. `str()` says why."""


class Row(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Totals of one article at the end of one day; `row_type` adds the dataset's metrics."""

    stat_date: date


@cache
def row_type(dataset: Dataset) -> type[Row]:
    """The Struct of the dataset's rows: stat_date, then its metrics, None where absent."""
    row: type[Row] = msgspec.defstruct(  # type: ignore[assignment] # typed as any Struct
        "Row",
        [(metric.name, TYPES[metric.kind], None) for metric in dataset.metrics],
        bases=(Row,),
        kw_only=True,
    )
    return row


@dataclass(slots=True)
class Article:
    """One article of the publication day, with its rows by stat_date."""

    msgid: str
    title: str | None = None
    url: str | None = None
    content_url: str | None = None
    publish_type: int | None = None
    user_source: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rows: dict[date, Row] = field(default_factory=dict)
    row_extras: dict[date, dict[str, Any]] = field(default_factory=dict)
    """Unknown metrics, for the rows that have any."""

    @property
    def message(self) -> tuple[str, int] | tuple[None, None]:
        """The message's id and the article's position in it, from 1."""
        match = _MSGID.fullmatch(self.msgid)
        return (match["message"], int(match["position"])) if match else (None, None)

    def gives_a_figure(self) -> bool:
        """Whether any of its rows holds more than its day."""
        return bool(self.row_extras) or any(
            value is not None
            for row in self.rows.values()
            for value in msgspec.structs.astuple(row)[1:]
        )

    def changed_by(self, newer: "Article") -> list[date]:
        """The days of the rows that a later mention of the article adds or gives other values."""
        return [day for day, row in newer.rows.items() if self._differs(day, row, newer)]

    def _differs(self, day: date, row: Row, newer: "Article") -> bool:
        known = self.rows.get(day)
        if known is None:
            return True
        extras, known_extras = newer.row_extras.get(day, {}), self.row_extras.get(day, {})
        return known_extras | extras != known_extras or any(
            value not in (None, held)
            for value, held in zip(
                msgspec.structs.astuple(row), msgspec.structs.astuple(known), strict=True
            )
        )

    def merge(self, newer: "Article") -> int:
        """Take over what a later mention of the article holds; how many rows were there already."""
        for name in ATTRIBUTES:
            if getattr(newer, name) is not None:
                setattr(self, name, getattr(newer, name))
        self.extra |= newer.extra
        repeated = 0
        for stat_date, row in newer.rows.items():
            known = self.rows.get(stat_date)
            if known is not None:
                repeated += 1
                values = msgspec.structs.asdict(row).items()
                held = {name: value for name, value in values if value is not None}
                row = msgspec.structs.replace(known, **held)
            self.rows[stat_date] = row
            if stat_date in newer.row_extras:
                self.row_extras.setdefault(stat_date, {}).update(newer.row_extras[stat_date])
        return repeated


@dataclass(frozen=True, slots=True)
class Rejected:
    """A part of an answer that does not fit: a value of a row, a whole row, or an article."""

    reason: str
    """Quotes nothing of the answer: more people may read it than the payload."""
    payload: str
    msgid: str | None = None
    """None when it names no article."""
    stat_date: date | None = None
    """None when it is of no row, or of one without a date."""
    metric: str | None = None
    """Of a value; None when the whole row or article does not fit."""


@dataclass(frozen=True, slots=True)
class Summary:
    """An answer in short: what coverage and the rules need of it, whatever becomes of its rows."""

    fetched_at: datetime
    article_count: int
    row_count: int
    through_date: date | None
    """The last stat_date every article reaches; None when one has no row, or there is none."""
    list_sha256: bytes
    """Of the listing: two answers list the same articles when it is the same."""
    is_empty: bool
    """Whether it lists nothing, not even a part in which no article can be made out."""
    is_delayed: bool
    """WeChat's own word that the figures are not the newest."""
    rejected: int
    """Parts that do not fit."""
    first_reason: str
    """Why the first of these does not."""
    nothing_fits: bool
    """Whether parts are rejected, and no row gives a figure."""

    @property
    def has_data(self) -> bool:
        """Whether it tells what was published; not when every part of it is rejected."""
        return bool(self.article_count or not self.rejected)

    @property
    def data_state(self) -> DataState:
        """What the warehouse has of the pair by this answer."""
        return DataState.LOADED if self.article_count else DataState.EMPTY


@dataclass(slots=True)
class Parsed:
    """
    What one answer says of its publication day.

    Beyond the bytes it knows which articles and rows they are, and what of them does not fit.
    """

    articles: dict[str, Article] = field(default_factory=dict)
    unreadable: str = ""
    """Why no articles can be made out in it, if so."""
    rejected: list[Rejected] = field(default_factory=list)
    is_delayed: bool = False
    """WeChat's own word that the figures are not the newest."""
    merged_rows: int = 0
    """Rows that repeated a key of the same answer."""
    empty_rows: int = 0
    """Row objects without anything in them: neither loaded nor rejected."""
    articles_without_list: int = 0
    """Mentions of an article whose list of rows is missing or null: kept without rows."""
    stripped_nuls: int = 0
    """U+0000 taken out of texts: Postgres cannot hold them."""
    numbers_in_texts: int = 0
    """Figures that were written as texts."""
    unknown_metrics: set[str] = field(default_factory=set)

    @property
    def listing(self) -> tuple[str, ...]:
        """What it lists: msgids in order, and `?` for a part that is no article."""
        unknown = sum(it.msgid not in self.articles for it in self.rejected)
        return (*sorted(self.articles), *["?"] * unknown)

    @property
    def row_count(self) -> int:
        """Rows that fit, each key once."""
        return sum(len(article.rows) for article in self.articles.values())

    def summary(self, fetched_at: datetime) -> Summary:
        """The answer in short."""
        articles, listing = self.articles.values(), self.listing
        reached = [max(article.rows, default=date.min) for article in articles]
        through_date = min(reached, default=date.min)
        return Summary(
            fetched_at,
            len(articles),
            self.row_count,
            None if through_date == date.min else through_date,
            hashlib.sha256("\0".join(listing).encode()).digest(),
            not listing,
            self.is_delayed,
            len(self.rejected),
            self.rejected[0].reason if self.rejected else "",
            bool(self.rejected) and not any(map(Article.gives_a_figure, articles)),
        )

    def add(self, article: Article) -> None:
        """Add an article, or merge it into its earlier mention."""
        self.unknown_metrics.update(*article.row_extras.values())
        known = self.articles.setdefault(article.msgid, article)
        if known is not article:
            self.merged_rows += known.merge(article)


Source = TypeVar("Source")
"""What tells an answer from the others of its pair."""


@dataclass(slots=True)
class Merged(Generic[Source]):
    """What the answers of a pair say together."""

    articles: dict[str, Article] = field(default_factory=dict)
    listed_by: dict[str, list[Source]] = field(default_factory=dict)
    """By msgid, in order."""
    changed_by: dict[tuple[str, date], Source] = field(default_factory=dict)
    """By msgid and stat_date: the answer that last changed the row."""


def merge(answers: Iterable[tuple[Source, Parsed]]) -> Merged[Source]:
    """Answers of one pair, oldest first, as one: the last non-null value of each field."""
    merged = Merged[Source]()
    for source, parsed in answers:
        for msgid, article in parsed.articles.items():
            known = merged.articles.setdefault(msgid, Article(msgid))
            changed = known.changed_by(article)
            known.merge(article)
            merged.listed_by.setdefault(msgid, []).append(source)
            merged.changed_by |= {(msgid, day): source for day in changed}
    return merged


@dataclass(slots=True)
class _OpenPart(Generic[Source]):
    source: Source
    rejected: Rejected
    days: set[date]
    """Of a row or an article: each that it may be about and that no later answer gave."""
    listed: set[str]
    """The articles that later answers list."""
    listed_before: int
    """How many articles its own answer lists, those without a name included."""

    def is_given_by(self, later: Parsed) -> bool:
        """Whether the next answer, with those before it, gives as it should be what it is about."""
        part = self.rejected
        if part.msgid is None:
            self.listed.update(later.articles)
            return len(self.listed) >= self.listed_before
        article = later.articles.get(part.msgid)
        if article is None:
            return False
        if part.metric and part.stat_date:
            row = article.rows.get(part.stat_date)
            return getattr(row, part.metric, None) is not None
        self.days -= article.rows.keys()
        return not self.days


class OpenParts(Generic[Source]):
    """
    What of a pair's answers does not fit, until later answers give it as it should be.

    A value is given by the same article, day and metric, a row by the same article and day. A row
    without a day of the window, and an article, by rows of each day they can have been about; what
    names no article, by as many articles as were listed with it. An answer that merely leaves a
    part out gives nothing.
    """

    def __init__(self, publication_date: date, window: int) -> None:
        """Take no answer yet; an article's totals grow for `window` days."""
        self._window = [publication_date + timedelta(days=number) for number in range(window)]
        self._open: list[_OpenPart[Source]] = []
        self.given: list[tuple[Source, Rejected]] = []
        """Parts that later answers gave, each with its answer."""

    @property
    def open(self) -> list[tuple[Source, Rejected]]:
        """Parts that none gave, each with its answer."""
        return [(part.source, part.rejected) for part in self._open]

    def take(self, source: Source, answer: Parsed, last_day: date) -> None:
        """Take the answer that was seen next; its rows end with `last_day`."""
        self._give(answer)
        past = [day for day in self._window if day <= last_day] or self._window[:1]
        listed: set[str] = set()
        count = len(answer.articles) + sum(it.msgid is None for it in answer.rejected)
        for it in answer.rejected:
            days = {it.stat_date} if it.stat_date in self._window else set(past)
            self._open.append(_OpenPart(source, it, days, listed, count))

    def take_elsewhere(self, answer: Parsed) -> None:
        """Take what was seen next of shared articles, under another publication day."""
        self._give(answer, is_elsewhere=True)

    def _give(self, answer: Parsed, *, is_elsewhere: bool = False) -> None:
        still_open = []
        for part in self._open:
            may_give = part.rejected.msgid is not None or not is_elsewhere
            if may_give and part.is_given_by(answer):
                self.given.append((part.source, part.rejected))
            else:
                still_open.append(part)
        self._open = still_open


BIGINT_MAX = 2**63 - 1
SMALLINT_MAX = 2**15 - 1
LONGEST_MSGID = 200
"""Characters; real ones have a dozen, and an index entry holds 2,704 bytes."""
DEEPEST = 100
"""Objects and lists in one another, in an answer."""
Msgid = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_MSGID)]
Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
TYPES: dict[Kind, Any] = {
    Kind.COUNT: Count,
    Kind.RATE: Any,  # as a Decimal, msgspec would take texts too
    Kind.LIST: list[Any] | None,
}
"""What a metric's value is decoded as."""
_RATE_MAX = 10**15
_IN_TEXTS = {
    Kind.COUNT: re.compile("[0-9]{1,19}"),
    Kind.RATE: re.compile("[0-9]{1,15}([.][0-9]{1,30})?"),
}
"""As long as a figure can be: how a number in a text is written."""
_NAMES = {
    type(None): "missing",
    bool: "a boolean",
    str: "a text",
    list: "a list",
    dict: "an object",
}
_MOST_DIGITS = 100
_DEPTH_OF_VALUES = 5
_CONTAINERS = (list, dict)


def as_int(value: Any) -> Any:
    """The whole number a decimal is, as in 3.0; anything else as it is."""
    is_whole = isinstance(value, Decimal) and abs(value) <= BIGINT_MAX and value == int(value)
    return int(value) if is_whole else value


def as_number(kind: Kind, value: Any) -> Any:
    """The number in a text, where the metric is one: digits, of a rate with a decimal point."""
    pattern = _IN_TEXTS.get(kind)
    if pattern is None or not isinstance(value, str) or not pattern.fullmatch(value):
        return value
    return int(value) if kind is Kind.COUNT else Decimal(value)


def what_it_is(value: Any) -> str:
    """What kind of value it is, in words that quote nothing of it."""
    name = _NAMES.get(type(value), "a number")
    return "a negative number" if name == "a number" and value < 0 else name


def is_storable(value: Any, depth: int = 0) -> bool:
    """Whether Postgres holds it as it is: no U+0000, no number that takes a page to write."""
    level = [value]
    while level:
        deeper: list[Any] = []
        for element in level:
            fits = True
            if isinstance(element, str):
                fits = "\0" not in element
            elif isinstance(element, _CONTAINERS):
                fits = depth < DEEPEST
                deeper += element
                if isinstance(element, dict):
                    deeper += element.values()
            elif isinstance(element, Decimal):
                fits = _is_short(element)
            if not fits:
                return False
        level = deeper
        depth += 1
    return True


def _is_short(number: Decimal) -> bool:
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and max(-exponent, number.adjusted()) < _MOST_DIGITS


def _is_count(value: Any) -> bool:
    whole = as_int(value)
    return value is None or (type(whole) is int and 0 <= whole <= BIGINT_MAX)


def _is_rate(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return False
    return is_storable(value) and 0 <= value < _RATE_MAX


def _is_list(value: Any) -> bool:
    return value is None or (isinstance(value, list) and is_storable(value, _DEPTH_OF_VALUES))


FITS: dict[Kind, tuple[Callable[[Any], bool], str]] = {
    Kind.COUNT: (_is_count, f"a whole number from 0 to {BIGINT_MAX}"),
    Kind.RATE: (_is_rate, f"a number from 0 to {_RATE_MAX}"),
    Kind.LIST: (_is_list, "a list"),
}
"""Whether a decoded value is one of the kind, and what it has to be."""
