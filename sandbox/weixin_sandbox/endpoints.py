"""The data endpoints, each declared once: a new one costs its rows and one declaration."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from weixin_sandbox import article_total
from weixin_sandbox.answers import Json, to_bytes
from weixin_sandbox.figures import FIRST_PUBLICATION_DATE, Article, publications


@dataclass(frozen=True)
class Item:
    """One article of an answer: its own keys, and its rows by rising `stat_date`."""

    keys: dict[str, Json]
    rows: list[dict[str, Json]]

    def until(self, last_date: date) -> "Item":
        """The item without its rows after a day."""
        kept = [row for row in self.rows if str(row["stat_date"]) <= last_date.isoformat()]
        return replace(self, rows=kept)


@dataclass(frozen=True)
class Endpoint:
    """One statistics endpoint: what it may be asked, and how an answer is built."""

    path: str
    first_date: date
    window_days: int
    rows_key: str
    rows: Callable[[Article, list[date]], list[dict[str, Json]]]

    def items(self, seed: int, appid: str, publication_date: date, asked_on: date) -> list[Item]:
        """What it knows of a publication day on a Beijing day: rows up to the day before."""
        days = min(self.window_days, (asked_on - publication_date).days)
        dates = [publication_date + timedelta(days=age) for age in range(days)]
        return [
            Item(keys=_keys(article), rows=self.rows(article, dates))
            for article in publications(seed, appid, publication_date)
        ]

    def body(self, items: list[Item]) -> bytes:
        """The answer's bytes."""
        listed: list[Json] = []
        for item in items:
            rows: list[Json] = [*item.rows]
            listed.append({**item.keys, self.rows_key: rows})
        return to_bytes({"list": listed})


def _keys(article: Article) -> dict[str, Json]:
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "title": article.title,
        "user_source": 0,
        "url": article.url,
        "content_url": article.url,
    }


ARTICLE_TOTAL = Endpoint(
    path="/datacube/getarticletotal",
    first_date=FIRST_PUBLICATION_DATE,
    window_days=7,
    rows_key="details",
    rows=article_total.rows,
)

ENDPOINTS = {endpoint.path: endpoint for endpoint in [ARTICLE_TOTAL]}
