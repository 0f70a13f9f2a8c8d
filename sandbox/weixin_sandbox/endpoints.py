"""The data endpoints, each declared once: a new one costs its rows and one declaration."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from weixin_sandbox import article_total, article_total_detail
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

    name: str
    first_date: date
    window_days: int
    keys: Callable[[Article], dict[str, Json]]
    rows_key: str
    rows: Callable[[Article, list[date]], list[dict[str, Json]]]
    says_is_delay: bool = False
    """Whether an answer says at its top level that the figures are not the newest."""

    @property
    def path(self) -> str:
        """Where it is called."""
        return f"/datacube/{self.name}"

    def is_counting(self, publication_date: date, yesterday: date) -> bool:
        """Whether the articles of a publication day have a row of yesterday."""
        return (yesterday - publication_date).days < self.window_days

    def items(self, seed: int, appid: str, publication_date: date, asked_on: date) -> list[Item]:
        """What it knows of a publication day on a Beijing day: rows up to the day before."""
        days = min(self.window_days, (asked_on - publication_date).days)
        dates = [publication_date + timedelta(days=age) for age in range(days)]
        return [
            Item(keys=self.keys(article), rows=self.rows(article, dates))
            for article in publications(seed, appid, publication_date)
        ]

    def body(self, items: list[Item], *, is_delay: bool | str = False) -> bytes:
        """The answer's bytes; `is_delay` is said where the endpoint has it."""
        listed: list[Json] = []
        for item in items:
            rows: list[Json] = [*item.rows]
            listed.append({**item.keys, self.rows_key: rows})
        delay: dict[str, Json] = {"is_delay": is_delay} if self.says_is_delay else {}
        return to_bytes({"list": listed, **delay})


def named(name: str) -> Endpoint:
    """
    The endpoint of a name.

    Raises:
        ValueError: there is none.

    """
    for endpoint in ENDPOINTS.values():
        if endpoint.name == name:
            return endpoint
    known = ", ".join(endpoint.name for endpoint in ENDPOINTS.values())
    raise ValueError(f"There is no endpoint {name!r}; there are {known}.")


def _total_keys(article: Article) -> dict[str, Json]:
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "title": article.title,
        "user_source": 0,
        "url": article.url,
        "content_url": article.url,
    }


def _detail_keys(article: Article) -> dict[str, Json]:
    return {
        "ref_date": article.publication_date.isoformat(),
        "msgid": article.msgid,
        "publish_type": 0 if article.is_notified else 1,
        "title": article.title,
        "content_url": article.url,
    }


ARTICLE_TOTAL = Endpoint(
    name="getarticletotal",
    first_date=FIRST_PUBLICATION_DATE,
    window_days=7,
    keys=_total_keys,
    rows_key="details",
    rows=article_total.rows,
)
ARTICLE_TOTAL_DETAIL = Endpoint(
    name="getarticletotaldetail",
    first_date=date(2025, 11, 1),
    window_days=30,
    keys=_detail_keys,
    rows_key="detail_list",
    rows=article_total_detail.rows,
    says_is_delay=True,
)

ENDPOINTS = {endpoint.path: endpoint for endpoint in [ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL]}
