"""Raw answers: every one is kept, and a pair's are merged anew when one arrives late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection

from weixin_etl.api.client import Answer
from weixin_etl.datasets import Dataset
from weixin_etl.pair import Pair
from weixin_etl.parse import parse
from weixin_etl.parse.articles import Parsed, merge
from weixin_etl.stage import SeenArticle
from weixin_etl.warehouse import statement


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a pair's answer is kept."""

    raw_response_id: int
    is_new: bool
    """Whether it was put there now; else an identical one was there already."""


def land(
    connection: Connection, dataset: Dataset, appid: str, pairs: Sequence[Pair]
) -> dict[date, Landed]:
    """Keep the bytes of the pairs' answers; where, by publication day."""
    keys = {"dataset": dataset.name, "appid": appid}
    answers = {pair.publication_date: pair.answer for pair in pairs if pair.answer}
    again = connection.execute(
        statement("raw_response/see_again.sql"),
        {
            **keys,
            "publication_dates": list(answers),
            "hashes": [answer.sha256 for answer in answers.values()],
            "fetched_ats": [answer.fetched_at for answer in answers.values()],
        },
    )
    landed = {day: Landed(raw_response_id, is_new=False) for day, raw_response_id in again}
    for day in sorted(answers.keys() - landed.keys()):
        # one by one: a statement holds its values several times over
        raw_response_id = connection.execute(
            statement("raw_response/land.sql"),
            {
                **keys,
                "publication_date": day,
                "body": answers[day].body,
                "hash": answers[day].sha256,
                "fetched_at": answers[day].fetched_at,
            },
        ).scalar_one()
        landed[day] = Landed(raw_response_id, is_new=True)
    return landed


def merged_anew(
    connection: Connection, dataset: Dataset, appid: str, day: date, late: Answer, parsed: Parsed
) -> list[SeenArticle]:
    """The articles of all of a pair's landed answers, `late` among them."""
    answers = [
        (parse(dataset, bytes(body), day), first_at, last_at)
        for _, body, first_at, last_at in connection.execute(
            statement("raw_response/of_pair.sql"),
            {"dataset": dataset.name, "appid": appid, "publication_date": day},
        )
    ]
    first_seen: dict[str, datetime] = {}
    last_seen: dict[str, datetime] = {}
    # a late answer that is identical to the newest is none of the pair's own, but was seen
    for seen, first_at, last_at in [*answers, (parsed, late.fetched_at, late.fetched_at)]:
        for msgid in seen.articles:
            first_seen[msgid] = min(first_seen.get(msgid, first_at), first_at)
            last_seen[msgid] = max(last_seen.get(msgid, last_at), last_at)
    return [
        SeenArticle(article, first_seen[msgid], last_seen[msgid])
        for msgid, article in merge(parsed for parsed, *_ in answers).articles.items()
    ]
