"""The lines COPY takes; what Postgres makes of odd texts is tested on Postgres."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from parse_cases import DAY, body, item, read, row

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.parse import Article, row_type
from weixin_etl.stage import SeenArticle, StagedPair, article_lines
from weixin_etl.stage import row_lines as row_lines_of

FIRST_AT = datetime(2026, 11, 18, 0, 31, tzinfo=UTC)
LAST_AT = datetime(2026, 11, 24, 0, 31, tzinfo=UTC)
NAMES = [metric.name for metric in ARTICLE_TOTAL.metrics]


def row_lines(pairs: Sequence[StagedPair]) -> Iterator[bytes]:
    """The lines of `article_total`."""
    return row_lines_of(ARTICLE_TOTAL, pairs)


def staged(answer: bytes, raw_response_id: int = 7) -> StagedPair:
    """What the answer says, to be merged under the id."""
    articles = read(answer).articles.values()
    return StagedPair(
        DAY, raw_response_id, [SeenArticle(article, FIRST_AT, LAST_AT) for article in articles]
    )


def test_a_row_is_a_line_of_its_key_answer_date_metrics_and_extra() -> None:
    """In the order of the temporary table; a None is a bare null."""
    pair = staged(body(item(row(target_user=9, int_page_read_count=0))))

    assert list(row_lines([pair])) == [
        b'"100_1",7,"2026-11-17",9,null,0' + b",null" * 26 + b",null\n"
    ]


def test_every_metric_stands_in_its_place() -> None:
    """As the dataset declares them, the largest bigint included."""
    metrics = {name: 2**63 - 1 - place for place, name in enumerate(NAMES)}
    pair = staged(body(item(row(**metrics))))

    (line,) = row_lines([pair])

    msgid, raw_response_id, stat_date, *values, extra = next(csv.reader([line.decode()]))
    assert (msgid, raw_response_id, stat_date, extra) == ("100_1", "7", "2026-11-17", "null")
    assert list(map(int, values)) == list(metrics.values())


def test_every_row_of_every_article_of_every_pair_is_a_line() -> None:
    """Each with the id of its own answer."""
    pairs = [
        staged(body(item(row(), row("2026-11-18")), item(row(), msgid="100_2")), 7),
        staged(body(item(row(), msgid="200_1")), 8),
    ]

    heads = [line.split(b",null")[0] for line in row_lines(pairs)]

    assert heads == [
        b'"100_1",7,"2026-11-17"',
        b'"100_1",7,"2026-11-18"',
        b'"100_2",7,"2026-11-17"',
        b'"200_1",8,"2026-11-17"',
    ]
    assert [pair.row_count for pair in pairs] == [3, 1]


def test_unknown_metrics_are_json_in_the_last_field_of_their_row() -> None:
    """Other rows have a null there."""
    pair = staged(body(item(row(like_user=7), row("2026-11-18"))))

    first, second = row_lines([pair])

    assert first.endswith(b',"{\\"like_user\\":7}"\n')
    assert second.endswith(b",null\n")


def test_a_msgid_is_escaped() -> None:
    """Quotes and backslashes by a backslash, as the COPY is told; the rest as it is."""
    msgid = 'a"b\\c,d\n马'
    article = Article(msgid, rows={DAY: row_type(ARTICLE_TOTAL)(stat_date=DAY)})
    pair = StagedPair(DAY, 7, [SeenArticle(article, FIRST_AT, LAST_AT)])

    (line,) = row_lines([pair])

    assert line.startswith('"a\\"b\\\\c,d\n马",7,'.encode())


def test_an_article_is_a_line_of_its_key_message_day_attributes_and_times() -> None:
    """In the order of the temporary table, between tabs."""
    pair = staged(
        body(item(title="马航", url="http://a", publish_type=1, user_source=0, mood=["好"]))
    )

    assert list(article_lines([pair])) == [
        "100_1\t100\t1\t2026-11-17\t马航\thttp://a\t\\N\t1\t0\t"
        '{"mood":["好"]}\t2026-11-18 00:31:00+00:00\t2026-11-24 00:31:00+00:00\n'
    ]


def test_what_an_article_lacks_is_null_and_an_empty_text_is_not() -> None:
    r"""Null is written \N, so an empty title stays an empty title."""
    pair = staged(body(item(msgid="odd", title="")))

    (line,) = article_lines([pair])

    assert line.split("\t")[:-2] == ["odd", "\\N", "\\N", "2026-11-17", "", *["\\N"] * 5]


def test_a_title_stays_in_its_field() -> None:
    r"""Tab, line ends and backslash are escaped; a title of \N is no null."""
    texts = {"a\tb": "a\\tb", "a\nb\rc": "a\\nb\\rc", "\\N": "\\\\N", '"a", b': '"a", b'}

    written = [
        line.split("\t")[4]
        for title in texts
        for line in article_lines([staged(body(item(title=title)))])
    ]

    assert written == list(texts.values())


def test_nothing_to_stage_is_no_line() -> None:
    """An empty day has no article, and an article may have no rows."""
    assert list(row_lines([staged(body())])) == []
    assert list(article_lines([staged(body())])) == []
    assert list(row_lines([staged(body(item()))])) == []
