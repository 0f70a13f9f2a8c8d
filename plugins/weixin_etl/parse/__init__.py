"""
Bytes to typed articles and rows (pure).

An answer that is exactly as documented is decoded at once by type. Any other is read row by row:
each row is converted by type. Only a row that can't be is read value by value: what does not fit is
rejected, the rest of the row is loaded.

The items of other answers are read like articles: of a channel `msgid` is its number, of an account
as a whole it is empty. They have the one row of their day.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec.structs import asdict, astuple, replace

from weixin_etl import clock, json_text
from weixin_etl.datasets import DATASETS, Dataset, ItemKey, Kind, Rows
from weixin_etl.sentences import Sentence, rejection, sentence
from weixin_etl.text import few_names

BIGINT_MAX, SMALLINT_MAX = 2**63 - 1, 2**15 - 1
_RATE_END = 10**15
_MOST_REJECTED = 100_000
_MOST_ARTICLES = 10_000
"""
The most items of a publication day's answer.

The cost of noting which articles are no longer listed grows with their square.
"""
_LONGEST_MSGID = 200
"""Characters; real ones have a dozen, and an index entry holds 2,704 bytes."""
_Msgid = Annotated[
    str, msgspec.Meta(min_length=1, max_length=_LONGEST_MSGID, pattern=r"^[^\0\ufffd]*\Z")
]
_Text = Annotated[str, msgspec.Meta(pattern="^[^\0]*$")] | None
_Count = Annotated[int, msgspec.Meta(ge=0, le=BIGINT_MAX)] | None
_SmallCount = Annotated[int, msgspec.Meta(ge=0, le=SMALLINT_MAX)] | None
ATTRIBUTES = {"title": _Text, "url": _Text, "content_url": _Text, "publish_type": _SmallCount}
"""What an answer says of an article, and its type; what is of another type is in `extra`."""
UNDOCUMENTED = "user_source"
"""Many answers give it of an article: it is in `extra`, and such an answer is as documented."""
_IN_TEXTS = re.compile("[0-9]{1,19}([.][0-9]{1,30})?")
"""How a number in a text is written, as long as a figure can be."""
_PLAIN_KEY = re.compile("[A-Za-z_][A-Za-z0-9_]{0,39}")
"""A key of an answer that a sentence may quote: keys are a stranger's texts."""
_MOST_KEYS_NAMED = 3
_NOT_STORABLE = re.compile("[\0\ud800-\udfff\ufffd]")
"""What `json_text.clean` would change, and the stand-in for bytes that are not UTF-8."""
_MSGID = re.compile(r"(?P<message>.+)_(?P<position>[1-9]\d{0,3})")
_CODES = {bool: "boolean", str: "text", list: "list", dict: "object"}
_WORD = {type(None): "missing", bool: "a boolean", str: "a text", list: "a list", dict: "an object"}


class FigureRow(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Figures of one article and one day; `row_type` adds the dataset's metrics."""

    stat_date: date


@cache
def row_type(dataset: Dataset) -> type[FigureRow]:
    """The Struct of the dataset's rows: stat_date, then its metrics, None where absent."""
    checked = [metric for metric in dataset.metrics if metric.kind is not Kind.COUNT]

    def check(row: FigureRow) -> None:
        if not all(is_valid_value(metric.kind, getattr(row, metric.name)) for metric in checked):
            raise ValueError

    row: type[FigureRow] = msgspec.defstruct(  # type: ignore[assignment] # typed as any Struct
        "Row",
        [(it.name, Any if it in checked else _Count, None) for it in dataset.metrics],
        bases=(FigureRow,),
        namespace={"__post_init__": check} if checked else {},
        kw_only=True,
    )
    return row


def is_valid_value(kind: Kind, value: Any) -> bool:
    """Whether a decoded value is null, or one of the kind that Postgres can hold as it is."""
    if value is None:
        return True
    if kind is Kind.COUNT:
        return type(value) is int and 0 <= value <= BIGINT_MAX
    is_number = type(value) in (int, Decimal) and 0 <= value < _RATE_END
    is_one = isinstance(value, list) if kind is Kind.LIST else is_number
    return is_one and bool(json_text.clean(value) == value)


def _as_number(kind: Kind, value: Any) -> Any:
    """The number of a metric in a text, a count as in 3.0 as 3, and anything else as it is."""
    if isinstance(value, str) and kind is not Kind.LIST and _IN_TEXTS.fullmatch(value):
        value = Decimal(value)
    is_count = kind is Kind.COUNT and isinstance(value, Decimal) and abs(value) <= BIGINT_MAX
    return int(value) if is_count and value == int(value) else value


def _misfit(kind: Kind, value: Any) -> str:
    """Return the code of the reason why a metric's value does not fit."""
    if kind is Kind.LIST:
        return "not_a_list"
    if code := _CODES.get(type(value)):
        return code
    if value < 0:
        return "negative"
    is_fraction = kind is Kind.COUNT and value <= BIGINT_MAX
    return "fraction" if is_fraction else "too_large"


def type_name(value: Any) -> str:
    """What kind of value it is, in words that quote nothing of it."""
    name = _WORD.get(type(value), "a number")
    return "a negative number" if name == "a number" and value < 0 else name


@dataclass(slots=True)
class Article:
    """One article of the day asked, with its rows by stat_date."""

    msgid: str
    title: str | None = None
    url: str | None = None
    content_url: str | None = None
    publish_type: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    rows: dict[date, FigureRow] = field(default_factory=dict)
    row_extras: dict[date, dict[str, Any]] = field(default_factory=dict)
    """Unknown metrics, for the rows that have any."""

    def has_figures_of(self, day: date, headline: Sequence[str] = ()) -> bool:
        """
        Return whether its row of the day is there and has figures.

        `headline` names the metrics of which it must have one, or all where it has metrics that
        are unknown here: WeChat may have renamed some. Where it is empty, any metric will do.
        """
        row = self.rows.get(day)
        if row is None:
            return False
        if headline:
            enough = all if day in self.row_extras else any
            return enough(getattr(row, name) is not None for name in headline)
        values = astuple(row)
        return values.count(None) < len(values) - 1  # its stat_date is there in any case

    def newest_date(self, headline: Sequence[str]) -> date | None:
        """Return the last day of which it has figures; None when it has none."""
        days = sorted(self.rows, reverse=True)
        return next((day for day in days if self.has_figures_of(day, headline)), None)

    @property
    def message(self) -> tuple[str, int] | tuple[None, None]:
        """The message's id and the article's position in it, from 1."""
        match = _MSGID.fullmatch(self.msgid)
        return (match["message"], int(match["position"])) if match else (None, None)

    def merge(self, newer: "Article") -> list[date]:
        """Take over what a later mention of the article holds; the days of the rows that change."""
        for name in ATTRIBUTES:
            if getattr(newer, name) is not None:
                setattr(self, name, getattr(newer, name))
        self.extra |= newer.extra
        extras = newer.row_extras
        return [day for day, row in newer.rows.items() if self.merge_row(row, extras.get(day, {}))]

    def merge_row(self, row: FigureRow, extra: dict[str, Any]) -> bool:
        """Take over a later mention of a row, with its unknown metrics; whether it changes."""
        day = row.stat_date
        known, known_extra = self.rows.get(day), self.row_extras.get(day, {})
        if known is not None:
            given = {name: value for name, value in asdict(row).items() if value is not None}
            row = replace(known, **given)
        self.rows[day] = row
        if merged_extra := known_extra | extra:
            self.row_extras[day] = merged_extra
        return row != known or merged_extra != known_extra


@dataclass(frozen=True, slots=True)
class RejectedPart:
    """A part of an answer that does not fit: a value of a row, a whole row, or an article."""

    code: str
    """Of its reason in `rejections.csv`."""
    reason: str
    """A sentence that quotes no value but a msgid: more people may read it than the payload."""
    payload: str
    msgid: str | None = None
    """None when it names no article."""
    stat_date: date | None = None
    """None when it is of no row, or of one without a date."""
    field: str | None = None
    """The key that does not fit; None when a whole row or item does not."""


@dataclass(slots=True)
class ParsedAnswer:
    """What one answer says of the day asked: its articles and rows, and what does not fit."""

    headline: Sequence[str] = ()
    """The metrics that WeChat always gives: a row without any of them has no figures."""

    articles: dict[str, Article] = field(default_factory=dict)
    unreadable: Sentence | None = None
    """Why no articles can be made out in it, if so."""
    rejected: list[RejectedPart] = field(default_factory=list)
    is_delayed: bool = False
    """WeChat's own word that the figures are not the newest."""
    unknown_metrics: set[str] = field(default_factory=set)

    @property
    def list_sha256(self) -> bytes:
        """Of the msgids it lists, in order, and a `?` for each rejected part that is no article."""
        unknown = sum(part.msgid not in self.articles for part in self.rejected)
        listed = "\0".join([*sorted(self.articles), *["?"] * unknown])
        return hashlib.sha256(listed.encode()).digest()

    @property
    def row_count(self) -> int:
        """Rows that fit, each once."""
        return sum(len(article.rows) for article in self.articles.values())

    @property
    def through_date(self) -> date | None:
        """The last stat_date every article reaches; None when one has no row, or there is none."""
        if not all(article.rows for article in self.articles.values()):
            return None
        return min((max(article.rows) for article in self.articles.values()), default=None)

    @property
    def newest_date(self) -> date | None:
        """The last stat_date of which any article has figures; None when none has any."""
        newest = (article.newest_date(self.headline) for article in self.articles.values())
        return max((day for day in newest if day), default=None)

    @property
    def has_figures(self) -> bool:
        """Return whether any row has a value of a declared metric."""
        rows = (row for article in self.articles.values() for row in article.rows.values())
        return any(value is not None for row in rows for value in astuple(row)[1:])

    @property
    def nothing_fits(self) -> bool:
        """Return whether parts are rejected, and no row holds more than its day."""
        return bool(self.rejected) and not self.has_figures and not self.unknown_metrics

    def is_whole(self, publication_date: date, window: int) -> bool:
        """
        Return whether nothing is rejected, and each article has the rows of the window's days.

        The last of them has figures: WeChat may list it before it has computed them.
        """
        days = {publication_date + timedelta(days=age) for age in range(window)}
        last_day = max(days, default=publication_date)
        have_all = all(
            days <= article.rows.keys() and article.has_figures_of(last_day)
            for article in self.articles.values()
        )
        return have_all and not self.rejected and not self.unreadable

    def has_row_of(self, day: date) -> bool:
        """Whether any article has a row of that stat_date."""
        return any(day in article.rows for article in self.articles.values())

    def add(self, article: Article) -> None:
        """Add an article, or merge it into its earlier mention."""
        self.unknown_metrics.update(*article.row_extras.values())
        known = self.articles.setdefault(article.msgid, article)
        if known is not article:
            known.merge(article)


def previous_day(fetched_at: datetime) -> date:
    """The last day an answer can have rows of: in Beijing, the one before it was fetched."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def parse(dataset: Dataset, body: bytes, day: date, fetched_at: datetime) -> ParsedAnswer:
    """
    Take an answer of the dataset's endpoint apart.

    A row is of a day that can have been counted when the answer was fetched: from the day asked to
    the day before the answer, in Beijing; of a statistics day, of the day asked.

    It is `unreadable` if it is not a JSON object with a `list`, is nested too deeply, more than
    100 000 parts of it do not fit, or it lists more than 10 000 articles of a publication day.
    """
    last_day = previous_day(fetched_at) if dataset.describes_articles else day
    try:
        by_type = parse_documented(dataset, body, day, last_day)
        return by_type or TolerantParser(dataset, day, last_day).read(body)
    except RecursionError:
        return ParsedAnswer(unreadable=sentence("the answer is nested too deeply"))


def _decoder(dataset: Dataset) -> msgspec.json.Decoder[Any]:
    rows: Any = list[row_type(dataset)]  # type: ignore[misc] # built at run time
    keys = [("ref_date", date), ("msgid", _Msgid), (dataset.rows_key, rows)]
    others = ATTRIBUTES | {UNDOCUMENTED: _Count}
    optional = [(name, form, None) for name, form in others.items()]
    item: Any = msgspec.defstruct("Item", [*keys, *optional], forbid_unknown_fields=True)
    items: Any = Annotated[list[item], msgspec.Meta(max_length=_MOST_ARTICLES)]
    answer = msgspec.defstruct("Answer", [("list", items), ("is_delay", bool, False)])
    return msgspec.json.Decoder(answer, float_hook=Decimal)


_DECODERS = {
    dataset: _decoder(dataset) for dataset in DATASETS.values() if dataset.rows_in is Rows.LIST
}
"""Made before there are threads: see `threads.convert`."""


def parse_documented(
    dataset: Dataset, body: bytes, day: date, last_day: date
) -> ParsedAnswer | None:
    """What the answer says, or None if it is not exactly as documented."""
    if dataset not in _DECODERS:
        return None
    try:
        answer = _DECODERS[dataset].decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, InvalidOperation):
        return None
    parsed = ParsedAnswer(headline=dataset.headline, is_delayed=answer.is_delay)
    for item in answer.list:
        given = asdict(item)
        written, seen = given.pop(dataset.rows_key), given.pop(UNDOCUMENTED)
        rows = {row.stat_date: row for row in written if day <= row.stat_date <= last_day}
        if given.pop("ref_date") != day or len(rows) != len(written):  # repeated, or out of range
            return None
        extra = {} if seen is None else {UNDOCUMENTED: seen}
        parsed.add(Article(**given, extra=extra, rows=rows))
    return parsed


@dataclass(slots=True)
class TolerantParser:
    """Reads one answer, whatever it holds; its rows end with `last_day`."""

    dataset: Dataset
    day: date
    last_day: date
    parsed: ParsedAnswer = field(default_factory=ParsedAnswer)

    def read(self, body: bytes) -> ParsedAnswer:
        """What the answer says."""
        try:
            answer = json_text.decode(body)
        except ValueError:
            return ParsedAnswer(unreadable=sentence("the answer is not JSON"))
        items = answer.get("list") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            return ParsedAnswer(unreadable=sentence("the answer has no list"))
        if self.dataset.describes_articles and len(items) > _MOST_ARTICLES:
            return ParsedAnswer(
                unreadable=sentence(
                    "the answer lists more than {most} articles", most=_MOST_ARTICLES
                )
            )
        self.parsed.headline = self.dataset.headline
        self.parsed.is_delayed = _says_delay(answer.get("is_delay"))
        for item in items:
            self._item(item)
            if len(rejected := self.parsed.rejected) > _MOST_REJECTED:
                first = rejected[0].reason
                return ParsedAnswer(unreadable=rejection("too_many", _MOST_REJECTED, first=first))
        return self.parsed

    def _item(self, item: Any) -> None:
        if not isinstance(item, dict):
            self._reject("entry_not_an_object", item)
            return
        key, written = self.dataset.item, item.get(self.dataset.item and self.dataset.item.name)
        msgid, code = _named(key, written) if key else ("", "")
        if key and code:
            self._reject(code, item, field=key.name, reason=_why_unnamed(key, written, code))
        elif item.get("ref_date") != self.day.isoformat():
            self._reject("entry_of_another_day", item, msgid, field="ref_date")
        else:
            self.parsed.add(self._article(msgid, item))

    def _article(self, msgid: str, item: dict[str, Any]) -> Article:
        """The item's article; what a statistics day's has beside its row belongs to the row."""
        dataset, is_list = self.dataset, self.dataset.rows_in is Rows.LIST
        named = {"ref_date", dataset.item and dataset.item.name, *dataset.meaningless}
        rest = {name: value for name, value in item.items() if name not in named}
        rows: Any = rest.pop(dataset.rows_key, None)
        article = _described(msgid, rest if is_list else {})
        if type(rows) not in ((list,) if is_list else (dict, type(None))):
            code = "rows_missing" if rows is None else "rows_misfit"
            reason = rejection(code, field=dataset.rows_key)
            if names := _unknown_containers(article):
                reason = rejection("unknown_keys", first=reason, names=names)
            self._reject(code, item, msgid, field=dataset.rows_key, reason=reason)
            return article  # it is listed, without a row
        if not is_list:
            rows = [{"stat_date": item["ref_date"], **rest, **(rows or {})}]
        for row in rows:
            self._row(article, row)
        return article

    def _row(self, article: Article, row: Any) -> None:
        if row == {}:
            return
        code, stat_date = self._day_of(row)
        if code:
            field = "stat_date" if code in ("row_without_date", "row_of_another_day") else None
            self._reject(code, row, article.msgid, stat_date, field)
            return
        form = row_type(self.dataset)
        known = form.__struct_fields__
        names = row.keys() - known
        unknown = {name: value for name in names if (value := row.pop(name)) is not None}
        try:
            typed = msgspec.convert(row, form)  # noqa: TID251 - by one thread
        except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: a lone surrogate
            typed = self._value_by_value(article.msgid, row, stat_date)
        cleaned = json_text.clean(unknown)
        article.merge_row(typed, {name: cleaned[name] for name in cleaned if name not in known})

    def _day_of(self, row: Any) -> tuple[str, date | None]:
        """Return the code of what keeps a whole row from being loaded, if any, and its day."""
        if not isinstance(row, dict):
            return "row_not_an_object", None
        try:
            stat_date = msgspec.convert(row.get("stat_date"), date)  # noqa: TID251 - the same
        except (msgspec.ValidationError, UnicodeEncodeError):
            return "row_without_date", None
        if not self.day <= stat_date <= self.last_day:
            return "row_of_another_day", stat_date
        figures = (row.get(metric.name) for metric in self.dataset.metrics)
        may_be_empty = self.dataset.describes_articles or any(it is not None for it in figures)
        return "" if may_be_empty else "row_without_figures", stat_date

    def _value_by_value(self, msgid: str, row: dict[str, Any], stat_date: date | None) -> FigureRow:
        known: dict[str, Any] = {"stat_date": stat_date}
        for metric in self.dataset.metrics:
            written = json_text.clean(row.get(metric.name))
            value = _as_number(metric.kind, written)
            if is_valid_value(metric.kind, value):
                known[metric.name] = value
            else:
                code = _misfit(metric.kind, value)
                self._reject(code, written, msgid, stat_date, metric.name)
        return row_type(self.dataset)(**known)

    def _reject(
        self,
        code: str,
        payload: Any,
        msgid: str | None = None,
        stat_date: date | None = None,
        field: str | None = None,
        reason: str = "",
    ) -> None:
        """Set a part aside, with the sentence of its code unless another is given."""
        reason = reason or rejection(code, field=field or "")
        text = json_text.encode(json_text.clean(payload))
        self.parsed.rejected.append(RejectedPart(code, reason, text, msgid, stat_date, field))


def _named(key: ItemKey, written: Any) -> tuple[str, str]:
    """Return what tells an item from the others of its day, or the code of why it can't be told."""
    if written is None:
        return "", "id_missing"
    if key.is_number:
        number = _as_number(Kind.COUNT, json_text.clean(written))
        return (str(number), "") if is_valid_value(Kind.COUNT, number) else ("", "id_misfit")
    if not isinstance(written, str):
        return "", "id_misfit"
    if not 0 < len(written) <= _LONGEST_MSGID:
        return "", "id_length"
    # two msgids that differ only in what can't be stored would become one article
    return ("", "id_not_storable") if _NOT_STORABLE.search(written) else (written, "")


def _why_unnamed(key: ItemKey, written: Any, code: str) -> str:
    """Return why an item can't be told from others: a msgid that can't be stored is in ASCII."""
    if code != "id_not_storable":
        return rejection(code, field=key.name)
    found = sorted({*_NOT_STORABLE.findall(written)})
    characters = few_names([f"U+{ord(it):04X}" for it in found], _MOST_KEYS_NAMED)
    return rejection(code, field=key.name, value=json.dumps(written), characters=characters)


def _unknown_containers(article: Article) -> str:
    """Return the names of the article's unknown keys that may hold its rows; or nothing."""
    named = [
        name
        for name, value in article.extra.items()
        if isinstance(value, list | dict) and _PLAIN_KEY.fullmatch(name) and name not in ATTRIBUTES
    ]
    return few_names(named, _MOST_KEYS_NAMED)


def _says_delay(is_delay: Any) -> bool:
    """Return whether figures are late by the answer's `is_delay`: by anything but a plain no."""
    if isinstance(is_delay, str):
        return is_delay.lower() != "false"
    return is_delay not in (None, False)  # 0 equals False


def _described(msgid: str, attributes: dict[str, Any]) -> Article:
    """An article without its rows; an attribute of another type is unknown."""
    article = Article(msgid)
    for name, value in json_text.clean(attributes).items():
        is_small = type(value) is int and 0 <= value <= SMALLINT_MAX
        fits = is_small if name == "publish_type" else isinstance(value, str)
        if name in ATTRIBUTES and fits:
            setattr(article, name, value)
        elif value is not None:
            article.extra[name] = value
    return article
