"""The lines COPY takes; what Postgres makes of odd texts is tested on Postgres."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime

from parse_cases import DAY, body, item, read, row

from weixin_etl.datasets import ARTICLE_TOTAL
from weixin_etl.load.stage import Lines, SeenArticle, StagedPair
from weixin_etl.load.stage import article_lines as article_lines_of
from weixin_etl.load.stage import row_lines as row_lines_of

FIRST_AT = datetime(2026, 11, 18, 0, 31, tzinfo=UTC)
LAST_AT = datetime(2026, 11, 24, 0, 31, tzinfo=UTC)
NAMES = [metric.name for metric in ARTICLE_TOTAL.metrics]


def row_lines(pairs: Sequence[StagedPair]) -> list[bytes]:
    """The lines of the rows of `article_total`."""
    return b"".join(row_lines_of(ARTICLE_TOTAL, pairs)).splitlines(keepends=True)


def article_lines(pairs: Sequence[StagedPair]) -> list[bytes]:
    """The lines of the articles."""
    return b"".join(article_lines_of(pairs)).splitlines(keepends=True)


def staged(answer: bytes, raw_response_id: int = 7) -> StagedPair:
    """What the answer says, to be merged under the id."""
    articles = read(answer).articles.values()
    return StagedPair(
        DAY, raw_response_id, [SeenArticle(article, FIRST_AT, LAST_AT) for article in articles]
    )


def test_a_row_is_a_line_of_its_key_answer_date_metrics_and_extra() -> None:
    """In the order of the temporary table; a None is a bare null."""
    pair = staged(body(item(row(target_user=9, int_page_read_count=0))))

    assert row_lines([pair]) == [b'"100_1",7,"2026-11-17",9,null,0' + b",null" * 26 + b",null\n"]


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


def test_an_article_is_a_line_of_its_key_texts_numbers_and_times() -> None:
    """In the order of the temporary table."""
    pair = staged(
        body(item(title="马航", url="http://a", publish_type=1, user_source=0, mood=["好"]))
    )

    assert article_lines([pair]) == [
        '"100_1","100","马航","http://a",null,"{\\"mood\\":[\\"好\\"]}",1,"2026-11-17",1,0,'
        '"2026-11-18T00:31:00Z","2026-11-24T00:31:00Z"\n'.encode()
    ]


def test_nothing_to_stage_is_no_line() -> None:
    """An empty day has no article, and an article may have no rows."""
    assert row_lines([staged(body())]) == []
    assert article_lines([staged(body())]) == []
    assert row_lines([staged(body(item()))]) == []


def test_an_article_without_rows_does_not_end_the_file() -> None:
    """COPY stops at the first read that brings nothing: what comes after would be lost."""
    pair = staged(body(item(msgid="1_1"), item(row(), msgid="2_1")))

    lines = Lines(row_lines_of(ARTICLE_TOTAL, [pair]))

    assert lines.read(io.DEFAULT_BUFFER_SIZE).startswith(b'"2_1",')
    assert lines.read(io.DEFAULT_BUFFER_SIZE) == b""
