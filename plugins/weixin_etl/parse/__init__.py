"""
Bytes to typed articles and rows (pure).

An answer that is exactly what the documentation shows is decoded at once by type. Any other is read
article by article: unknown keys are put aside and the rest is decoded by type. Only an odd article
(a value of another type, a row of another day, a text with U+0000) is taken apart value by value:
what does not fit is rejected with a reason, and the rest of its row is loaded.
"""

from datetime import date, datetime, timedelta

import msgspec

from weixin_etl import clock
from weixin_etl.datasets import Dataset
from weixin_etl.parse.articles import Parsed, UnreadableAnswerError
from weixin_etl.parse.documented import DocumentedReader
from weixin_etl.parse.lenient import TakeApart, decoded, take_apart


def day_before(fetched_at: datetime) -> date:
    """The last day an answer can have rows of: in Beijing, the one before it was fetched."""
    return clock.beijing_date(fetched_at) - timedelta(days=1)


def parse(dataset: Dataset, body: bytes, publication_date: date, fetched_at: datetime) -> Parsed:
    """
    Take an answer of the dataset's endpoint apart.

    A row has to be of a day that can have been counted when the answer was fetched: from the
    publication day to the day before the answer, in Beijing. How many days an article's totals
    grow is not asked here: a row beyond the window is a row.

    It is `unreadable` if it is not a JSON object with a `list`, is nested too deeply, or more than
    100 000 parts of it do not fit.
    """
    last_day = day_before(fetched_at)
    documented = DocumentedReader(dataset, publication_date, last_day)
    if parsed := documented.answer(body):
        return parsed
    try:
        lenient = TakeApart(dataset, publication_date, last_day)
        return _article_by_article(documented, lenient, body) or take_apart(
            dataset, body, publication_date, last_day
        )
    except UnreadableAnswerError as error:
        return Parsed(unreadable=str(error))


class _Answer(msgspec.Struct):
    articles: list[msgspec.Raw] = msgspec.field(name="list")
    is_delay: msgspec.Raw = msgspec.Raw(b"null")


_answer_decoder = msgspec.json.Decoder(_Answer)


def _article_by_article(
    documented: DocumentedReader, lenient: TakeApart, body: bytes
) -> Parsed | None:
    try:
        answer = _answer_decoder.decode(body)
        lenient.is_delay(decoded(answer.is_delay))
        for item in answer.articles:
            article = documented.article(item)
            if article:
                lenient.parsed.add(article)
            else:
                lenient.item(decoded(item))
    except (msgspec.MsgspecError, RecursionError):
        return None
    return lenient.parsed
