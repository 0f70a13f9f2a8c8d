"""
Check what the parser reads of an answer: texts, values, rows, items, and the answer as a whole.

The answers are of publication day 17 November, fetched on the 24th. A part that does not fit is
rejected with a code; the rest of the answer is loaded.
"""

import json
import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict
from support import cases
from world.expected_tables import rows_of

from weixin_etl.clock import SHANGHAI
from weixin_etl.datasets import (
    ARTICLE_DATASETS,
    ARTICLE_READ,
    ARTICLE_TOTAL,
    ARTICLE_TOTAL_DETAIL,
    DATASETS,
    FOLLOWER_CHANGE,
    Dataset,
    Kind,
)
from weixin_etl.parse import ParsedAnswer, parse

FIXTURES = Path(__file__).parents[1] / "fixtures"
DAY = date(2026, 11, 17)
FETCHED_AT = datetime(2026, 11, 24, 8, 30, tzinfo=SHANGHAI)
"""The time of the fetch: rows may be of 17 to 23 November."""
case = pytest.param


def row(day: Any = 17, **figures: Any) -> dict[str, Any]:
    """Return a row of a day of the month, or with another value as its `stat_date`."""
    return {"stat_date": f"2026-11-{day}" if type(day) is int else day, **figures}


def item(*rows: Any, **keys: Any) -> dict[str, Any]:
    """Return an article of the day asked for; `keys` add to its keys or replace them."""
    return {"ref_date": "2026-11-17", "msgid": "100_1", "details": list(rows)} | keys


def read(*items: Any, dataset: Dataset = ARTICLE_TOTAL, **keys: Any) -> ParsedAnswer:
    """Parse an answer with these items."""
    answer = json.dumps({"list": items, **keys}, ensure_ascii=False)
    return parse(dataset, answer.encode(), DAY, FETCHED_AT)


def read_with(written: bytes, *items: Any) -> ParsedAnswer:
    """Parse an answer in which `"PLACE"` is replaced by the bytes."""
    answer = json.dumps({"list": items}).encode().replace(b'"PLACE"', written)
    return parse(ARTICLE_TOTAL, answer, DAY, FETCHED_AT)


def figures(parsed: ParsedAnswer) -> dict[str, dict[int, dict[str, Any]]]:
    """Return the known figures by item and day of the month, unknown metrics included."""
    return {
        name: {
            day.day: {metric: value for metric, value in asdict(row).items() if value is not None}
            | article.row_extras.get(day, {})
            for day, row in article.rows.items()
        }
        for name, article in parsed.articles.items()
    }


def counts(parsed: ParsedAnswer) -> dict[str, dict[int, dict[str, Any]]]:
    """Return the figures without the rows' own days."""
    found = figures(parsed)
    for rows in found.values():
        for row_figures in rows.values():
            del row_figures["stat_date"]
    return found


def rejected(parsed: ParsedAnswer) -> list[tuple[str, str | None, str | None, int | None]]:
    """Return the code, field, msgid and day of the month of each rejected part."""
    return [
        (part.code, part.field, part.msgid, part.stat_date and part.stat_date.day)
        for part in parsed.rejected
    ]


EXAMPLES = sorted(FIXTURES.glob("*/*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_figure_of_a_public_example_has_its_column(path: Path) -> None:
    """A figure that the example lacks is NULL, never 0."""
    dataset, items = DATASETS[path.parent.name], json.loads(path.read_bytes())["list"]
    day = date.fromisoformat(items[0]["ref_date"]) if items else DAY

    parsed = parse(dataset, path.read_bytes(), day, FETCHED_AT)

    shown = [row | {"stat_date": day} for listed in items for row in rows_of(dataset, listed)]
    assert [row for rows in figures(parsed).values() for row in rows.values()] == shown
    assert (parsed.rejected, parsed.unknown_metrics, parsed.is_delayed) == ([], set(), False)


# ------------------------------------------------------------------------------------- values

LARGEST = 2**63 - 1
COUNTS = {
    **{b"3.0": 3, b"1e2": 100, b"-0.0": 0, b'"0012"': 12, b"null": None},
    **{b"%d" % LARGEST: LARGEST, b'"%d"' % LARGEST: LARGEST},
    **dict.fromkeys((b'"3 "', b'"many"', b'"+3"', b'"1e2"', '"３"'.encode()), "text"),
    **dict.fromkeys((b'"' + b"7" * 100_000 + b'"', b'"\\ud83d"'), "text"),
    **dict.fromkeys((b"1e400", b"NaN", b"7" * 100_000), "text"),
    **{
        b"1.5": "fraction",
        b"%d" % 2**63: "too_large",
        b"7" * 400: "too_large",
        b'"%d"' % 2**63: "too_large",
    },
    **{b"true": "boolean", b"-1": "negative", b"[1]": "list", b"{}": "object"},
}
RATES = {
    **{b'"0.50"': Decimal("0.50"), b'"12"': 12, b"0.25": Decimal("0.25")},
    **dict.fromkeys((b'"1_0"', '"１"'.encode(), b'"1e1"', b'".5"', b'"-1"', b'"50%"'), "text"),
    **{b"-0.5": "negative", b"1e15": "too_large", b"1e400": "text"},
}
RATE = next(metric.name for metric in ARTICLE_TOTAL_DETAIL.metrics if metric.kind is Kind.RATE)


@pytest.mark.parametrize(
    ("dataset", "metric", "written", "value"),
    [
        *((ARTICLE_TOTAL, "share_user", *figure) for figure in COUNTS.items()),
        *((ARTICLE_TOTAL_DETAIL, RATE, *figure) for figure in RATES.items()),
    ],
    ids=lambda value: f"{value!s:.12}",
)
def test_a_figure_is_a_number_of_its_kind_or_rejected_alone(
    dataset: Dataset, metric: str, written: bytes, value: Any
) -> None:
    """
    A number may be written as a plain text; it is exact to the digit.

    The row keeps other figures.
    """
    rows = [row(**{metric: "PLACE", "share_user" if metric == RATE else "share_count": 4})]
    answer = json.dumps({"list": [item(**{dataset.rows_key: rows})]}).encode()

    parsed = parse(dataset, answer.replace(b'"PLACE"', written), DAY, FETCHED_AT)

    is_odd = isinstance(value, str)
    found = counts(parsed)["100_1"][17]
    assert found.pop(metric, None) == (None if is_odd else value)
    assert [*found.values()] == [4]
    assert rejected(parsed) == [(value, metric, "100_1", 17)] * is_odd


TITLES = {
    "escaped NUL": (b"a\\u0000b\\u0000", "ab"),
    "raw NUL": (b"a\0b\0", "ab"),
    "escaped backslash": (b"a\\\\u0000", "a\\u0000"),
    "control characters": ("第一\n行\t\x01\x1f".encode(), "第一\n行\t\x01\x1f"),
    "half a character": (b"a\\ud83dz\\udc00", "a\ufffdz\ufffd"),
    "both halves": (b"\\ud83d\\ude00", "\U0001f600"),
    "not UTF-8": (b"a\xff", "a\ufffd"),
    "GBK": ("标".encode("gbk"), "\ufffd\ufffd"),
}


@pytest.mark.parametrize(("written", "title"), TITLES.values(), ids=TITLES)
def test_a_text_is_kept_as_far_as_postgres_can_hold_it(written: bytes, title: str) -> None:
    """U+0000 is removed, bytes that are no character become U+FFFD, and no figure is lost."""
    parsed = read_with(b'"%s"' % written, item(row(share_user=5), title="PLACE"))

    assert (parsed.articles["100_1"].title, parsed.rejected) == (title, [])
    assert counts(parsed) == {"100_1": {17: {"share_user": 5}}}


# ------------------------------------------------------------------------------ rows and items

ONE_FIGURE = {"100_1": {17: {"share_user": 5}}}
MISFITS = [
    *(([entry], ("entry_not_an_object", None, None, None)) for entry in (None, 7, "100_1", [])),
    *(
        ([item(row(), msgid=msgid)], (f"id_{why}", "msgid", None, None))
        for msgid, why in [
            *((None, "missing"), (100, "misfit"), (["100_1"], "misfit"), (True, "misfit")),
            *(("", "length"), ("1" * 201, "length")),
        ]
    ),
    *(
        (
            [item(row(), msgid="99_1", ref_date=day)],
            ("entry_of_another_day", "ref_date", "99_1", None),
        )
        for day in ("17 Nov", 20261117, None, "2026-11-16")
    ),
    *(
        ([item(entry)], ("row_not_an_object", None, "100_1", None))
        for entry in (None, 7, "row", [], True)
    ),
    *(
        ([item(row(day, share_user=4))], ("row_without_date", "stat_date", "100_1", None))
        for day in ("2026-02-29", "2026-11-17T00:00:00", "20261117", "", None, True)
    ),
    *(
        ([item(row(outside, **keys))], ("row_of_another_day", "stat_date", "100_1", outside))
        for outside in (16, 24)
        for keys in ({}, {"x": 1})
    ),
    *(
        ([item(msgid="99_1", details=rows)], ("rows_misfit", "details", "99_1", None))
        for rows in ({}, "", 0, False)
    ),
    ([item(msgid="99_1", details=None)], ("rows_missing", "details", "99_1", None)),
    ([{"ref_date": str(DAY), "msgid": "99_1"}], ("rows_missing", "details", "99_1", None)),
]


@pytest.mark.parametrize(("misfit", "why"), MISFITS)
def test_a_part_that_does_not_fit_is_rejected_alone(misfit: list[Any], why: Any) -> None:
    """The rejection names the reason, the msgid, the day and the part itself."""
    parsed = read(*misfit, item(row(share_user=5)))

    assert rejected(parsed) == [why]
    part = misfit[0]["details"][0] if why[2] == "100_1" else misfit[0]
    assert json.loads(parsed.rejected[0].payload) == part
    assert counts(parsed) == ({"99_1": {}} if why[1] == "details" else {}) | ONE_FIGURE


def test_the_last_row_of_an_answer_is_of_the_day_before_its_fetch_in_beijing() -> None:
    """The number of rows is not limited."""
    days = [DAY + timedelta(number) for number in range(9)]
    answer = json.dumps({"list": [item(*({"stat_date": str(day)} for day in days))]}).encode()
    for fetched_at in ("2026-11-26T00:00+08:00", "2026-11-25T16:00+00:00"):
        parsed = parse(ARTICLE_TOTAL, answer, DAY, datetime.fromisoformat(fetched_at))
        assert (list(parsed.articles["100_1"].rows), parsed.rejected) == (days, [])


@cases
def test_an_item_of_a_statistics_day_is_one_row_or_none(
    dataset: str, item: str, rows: str, why: str
) -> None:
    """The figures may stand in the item or in an object of it."""
    parsed = read({"ref_date": str(DAY)} | json.loads(item), dataset=DATASETS[dataset])

    expected = {name: {} if row is None else {17: row} for name, row in json.loads(rows).items()}
    assert counts(parsed) == expected
    assert [f"{part.code} {part.field or ''}".strip() for part in parsed.rejected] == [why] * bool(
        why
    )


def test_further_keys_of_an_item_of_a_statistics_day_are_kept_in_its_row() -> None:
    """The keys are no attributes of an article. Items with the same id are one row."""
    of_day, odd = {"ref_date": str(DAY)}, {"read_user": 4, "deep": {"a": [1]}}

    parsed = read(of_day | {"msgid": "1", "title": "题", "detail": odd}, dataset=ARTICLE_READ)
    assert counts(parsed) == {"1": {17: odd | {"title": "题"}}}
    assert (parsed.articles["1"].title, parsed.articles["1"].extra) == (None, {})

    first, second = {"user_source": 1, "new_user": 5}, {"user_source": "1", "cancel_user": 2}
    channel = read(of_day | first, of_day | second, dataset=FOLLOWER_CHANGE)
    assert counts(channel) == {"1": {17: {"new_user": 5, "cancel_user": 2}}}


def test_a_row_given_twice_has_the_last_value_of_each_field() -> None:
    """A null is no value."""
    twice = [row(share_user=5, share_count=8, a=1, b=2), row(share_user=0, share_count=None)]
    again = item(row(a=3), row(18, share_user=6))

    parsed = read(item(*twice), again, item({}, msgid="100_2"), item(msgid="100_3"))

    first = {17: {"share_user": 0, "share_count": 8, "a": 3, "b": 2}, 18: {"share_user": 6}}
    assert counts(parsed) == {"100_1": first, "100_2": {}, "100_3": {}}
    assert parsed.rejected == []


def test_an_unknown_key_is_kept_in_its_row_or_article() -> None:
    """
    A null is dropped.

    An unknown key of a row is reported; an attribute of another type is unknown.
    """
    odd = {"url": True, "publish_type": 70_000, "user_source": 0}
    unknown = {"like_user": 7, "scenes": [{"n": 1}]}

    parsed = read(item(row(share_user=5, **unknown), row(18, a=None), title="甲", b=None, **odd))

    assert counts(parsed) == {"100_1": {17: {"share_user": 5} | unknown, 18: {}}}
    assert parsed.unknown_metrics == unknown.keys()
    article = parsed.articles["100_1"]
    assert (article.title, article.url, article.extra) == ("甲", None, odd)
    assert read(item(user_source=0)).articles["100_1"].extra == {"user_source": 0}


def test_u0000_is_removed_from_keys_and_nested_texts() -> None:
    """
    A key that had to be cleaned does not replace another key.

    Ninety levels of such keys are read once each; reading every level twice would never end.
    """
    odd = row(**{"like\0": ["\0x"], "share_user\0": 7, "share_user": 5})
    nested, kept = {"\0deep": "\0"}, {"deep": ""}
    for _ in range(90):
        nested, kept = {"a": nested, "a\0": 2}, {"a": kept}

    parsed = read(item(odd, mood=nested))

    assert counts(parsed) == {"100_1": {17: {"like": ["x"], "share_user": 5}}}
    assert parsed.articles["100_1"].extra == {"mood": kept}


@pytest.mark.parametrize("is_first", [True, False])
def test_an_article_listed_twice_is_merged(is_first: bool) -> None:
    """The order does not matter, and a null removes no attribute."""
    full = item(row(share_user=5), title="第一篇", url="http://a", a=1)
    items = [full, item(title="第一篇", b=2)]

    (article,) = read(*(items if is_first else items[::-1])).articles.values()

    assert (article.title, article.url, article.extra) == ("第一篇", "http://a", {"a": 1, "b": 2})


MSGIDS = {"2247483647_8": ("2247483647", 8), "a_b_12": ("a_b", 12)}
MSGIDS |= dict.fromkeys(("2247483647", "2247483647_0", "2247483647_x", "_1"), (None, None))


@pytest.mark.parametrize(("msgid", "message"), MSGIDS.items())
def test_a_msgid_gives_the_message_and_the_position(msgid: str, message: Any) -> None:
    """`12003_3` is the third article of message 12003. A msgid of another form is kept as it is."""
    assert read(item(msgid=msgid)).articles[msgid].message == message


@pytest.mark.parametrize("keys", [{}, {"x": 1}], ids=["by type", "row by row"])
@pytest.mark.parametrize("written", [b"\\u0000", b"\0", b"\\ud83d", b"\xff", "\ufffd".encode()])
def test_a_msgid_with_characters_that_cannot_be_stored_is_rejected(
    written: bytes, keys: dict[str, int]
) -> None:
    """
    Without these characters it might equal another msgid, and two articles would become one.

    The reason shows the msgid in ASCII and names the character.
    """
    odd = item(row(share_user=7), msgid="PLACE", **keys)

    parsed = read_with(b'"100_1%s"' % written, odd, item(row(share_user=5), **keys))

    assert (rejected(parsed), counts(parsed)) == (
        [("id_not_storable", "msgid", None, None)],
        ONE_FIGURE,
    )
    shown = re.fullmatch(
        r'the msgid "100_1\\u([0-9a-f]{4})" contains U\+([0-9A-F]{4}), which cannot be stored '
        "unchanged; the entry is left out",
        parsed.rejected[0].reason,
    )
    assert shown
    assert shown[1].upper() == shown[2]
    assert shown[2] in ("0000", "D83D", "FFFD")


# ------------------------------------------------------------------------ the answer as a whole


@pytest.mark.parametrize("keys", [{}, {"x": 1}], ids=["by type", "row by row"])
def test_is_delay_is_anything_but_a_plain_no(keys: dict[str, int]) -> None:
    """The figures are read all the same."""
    article = item(row(share_user=5), **keys)
    no = [read(article, is_delay=word) for word in (False, None, 0, 0.0, "false", "False", "FALSE")]
    yes = [
        read(article, is_delay=word)
        for word in (True, 1, -1, "true", "", "0", "no", "none", [], {}, [False])
    ]

    assert [parsed.is_delayed for parsed in (read(article), *no)] == [False] * 8
    assert [parsed.is_delayed for parsed in yes] == [True] * 11
    assert [counts(parsed) for parsed in no + yes] == [ONE_FIGURE] * 18


def test_the_hash_of_a_list_depends_only_on_its_ids() -> None:
    """
    Order and rows do not matter.

    A part without an id counts as `?`; an empty list has a hash too.
    """
    parsed = read(item(row(share_user=5), msgid="100_2"), item(), 7)

    assert parsed.list_sha256 == sha256(b"100_1\x00100_2\x00?").digest()
    assert (read().list_sha256, parsed.row_count) == (sha256(b"").digest(), 1)


def test_an_answer_reaches_to_the_last_day_that_all_articles_have() -> None:
    """
    An answer with an article without rows has no last day.

    One article is enough to have a row of a day.
    """
    both = item(row(), row(18)), item(row(), row(19), msgid="100_2")

    through = [read(*items).through_date for items in (both, (*both, item(msgid="100_3")), ())]
    assert through == [date(2026, 11, 18), None, None]
    has_row = [read(*both).has_row_of(date(2026, 11, day)) for day in (18, 19, 20)]
    assert has_row == [True, True, False]


WHOLE = [row(day, share_user=day) for day in range(17, 24)]


@pytest.mark.parametrize(
    ("rows", "is_whole", "nothing_fits"),
    [
        case(WHOLE[::-1], True, False, id="all"),
        case(WHOLE[:-1], False, False, id="not the last"),
        case(WHOLE[1:], False, False, id="not the first"),
        case([*WHOLE[:3], *WHOLE[4:]], False, False, id="a gap"),
        case([*WHOLE[:-1], row(23, share_user=-1)], False, False, id="a figure that does not fit"),
        case([*WHOLE, row(24)], False, False, id="a row that does not fit"),
        case([row()], False, False, id="a row without figures"),
        case([row(share_user=-1)], False, True, id="none that fits"),
        case([row(share_user=-1, next_user=1)], False, False, id="an unknown one fits"),
    ],
)
def test_an_answer_is_whole_if_every_article_has_all_rows_and_nothing_is_rejected(
    rows: list[Any], is_whole: bool, nothing_fits: bool
) -> None:
    alone, beside = read(item(*rows)), read(item(*WHOLE), item(*rows, msgid="100_2"))

    assert (alone.is_whole(DAY, 7), beside.is_whole(DAY, 7)) == (is_whole, is_whole)
    assert (alone.nothing_fits, beside.nothing_fits) == (nothing_fits, False)
    assert read().is_whole(DAY, 7)


@pytest.mark.parametrize("dataset", ARTICLE_DATASETS.values(), ids=ARTICLE_DATASETS)
def test_an_answer_without_figures_names_the_unknown_keys_in_their_place(dataset: Dataset) -> None:
    """Only keys of lists and objects are named, and only if they are plain words."""
    headline, rows = dataset.headline[0], dataset.rows_key

    def answered(**keys: Any) -> ParsedAnswer:
        named = ({"ref_date": str(DAY), "msgid": msgid} | keys for msgid in ("100_1", "100_2"))
        return read(*named, dataset=dataset)

    renamed = answered(**{f"{rows}_2": [row(**{headline: 3})], "甲": [], "a b": {}, "b" * 41: []})
    moved = answered(figures={"a": 1}, c=[], d=[], e=[], f=1, content_url=[])
    wrapped = answered(**{rows: [row(**{headline: {"value": 3}})]})
    nothing, empty = answered(**{rows: [row(**{headline: None})]}), answered(**{rows: []})

    odd = (renamed, moved, wrapped)
    found = [(parsed.nothing_fits, parsed.has_figures, parsed.row_count) for parsed in odd]
    assert found == [(True, False, 0), (True, False, 0), (True, False, 2)]
    assert [parsed.articles.keys() for parsed in (renamed, moved)] == [{"100_1", "100_2"}] * 2
    reasons = [parsed.rejected[0].reason for parsed in (renamed, moved)]
    unknown = [reason.partition("; not known here: ")[2] for reason in reasons]
    assert unknown == [f"{rows}_2", "figures, c, d and 1 more"]
    assert rejected(wrapped)[0] == ("object", headline, "100_1", 17)
    for parsed in (nothing, empty):
        assert (parsed.nothing_fits, parsed.has_figures, parsed.rejected) == (False, False, [])


def test_a_renamed_metric_is_noticed_because_its_old_name_is_missing() -> None:
    """A row without the totals that WeChat always gives has no figures; 0 is a figure."""
    renamed = {"int_page_read_user": None, "read_users": 5}
    answers = {
        "renamed": read(item(row(share_user=4, **renamed), row(18, **renamed))),
        "added": read(item(row(**renamed)), item(row(int_page_read_count=0), msgid="100_2")),
        "null": read(item(row(int_page_read_user=None))),
    }

    found = {name: parsed.newest_date for name, parsed in answers.items()}
    assert found == {"renamed": None, "added": DAY, "null": None}
    assert [parsed.has_figures for parsed in answers.values()] == [True, True, False]
    of_reads = {"ref_date": str(DAY), "msgid": "1", "detail": {"read_user": 1, "x": 1}}
    assert read(of_reads, dataset=ARTICLE_READ).newest_date == DAY


DEEP = b"[" * 100_000 + b"]" * 100_000
OBJECTS = b'{"list": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}"
UNREADABLE = {
    "the answer is not JSON": [
        *(b"", b" ", b"<html>", b'{"list": [', b'{"list": []} x', b"\xff\xfe", b'{"list": [1 2]}')
    ],
    "the answer has no list": [
        *(b"[]", b"null", b"7", b'"list"', b"{}", b'{"list": null}', b'{"list": {}}')
    ],
    "the answer is nested too deeply": [
        *(b"[" * 100_000, DEEP, OBJECTS, b'{"list": ["\x01", ' + DEEP + b"]}")
    ],
}


@pytest.mark.parametrize("why", UNREADABLE)
def test_bytes_that_are_no_answer_are_unreadable_for_a_reason(why: str) -> None:
    """Such bytes are never taken for an empty day, and never stop the process."""
    for answer in UNREADABLE[why]:
        parsed = parse(ARTICLE_TOTAL, answer, DAY, FETCHED_AT)
        assert (parsed.unreadable, parsed.is_whole(DAY, 0)) == (why, False), answer[:20]


def test_more_than_a_hundred_thousand_rejected_parts_are_unreadable() -> None:
    """Keeping more of them would fill the memory and the warehouse."""
    assert len(read(item(*[0] * 100_000)).rejected) == 100_000

    assert read(item(*[0] * 100_001)).unreadable


@pytest.mark.parametrize("keys", [{}, {"x": 1}], ids=["by type", "row by row"])
def test_more_than_ten_thousand_articles_of_a_day_are_unreadable(keys: dict[str, int]) -> None:
    """No account publishes as many. A statistics day may have more: old articles are read too."""
    listed = [item(row(share_user=5), msgid=f"1_{number}", **keys) for number in range(10_001)]
    of_reads = [
        {"ref_date": str(DAY), "msgid": str(number), "detail": {"read_user": 1}}
        for number in range(10_001)
    ]

    assert len(read(*listed[1:]).articles) == 10_000
    assert read(*listed).unreadable == "the answer lists more than 10000 articles"
    assert len(read(*of_reads, dataset=ARTICLE_READ).articles) == 10_001
