"""The data endpoints, each declared once: a new one costs its rows and one declaration."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta

from weixin_etl import datasets
from weixin_etl.datasets import Dataset
from weixin_sandbox import article_day, article_total, article_total_detail, followers
from weixin_sandbox.answers import Json, to_bytes
from weixin_sandbox.figures import Article, publications


@dataclass(frozen=True)
class Item:
    """One item of an answer's list, such as an article: its own keys, its rows by `stat_date`."""

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
    """Of how many days an item of a day has rows, from that day on."""
    items: Callable[[int, str, date, date], list[Item]]
    """By seed, account and day: what it knows on another day, in rows up to the day before."""
    written: Callable[[Item], dict[str, Json]]
    """An item as an answer has it."""
    says_is_delay: bool = False
    """Whether an answer says at its top level that the figures are not the newest."""
    permission_set: int = 7
    """What an account must have granted to the platform that calls for it."""

    @property
    def path(self) -> str:
        """Where it is called."""
        return f"/datacube/{self.name}"

    def is_counting(self, day: date, yesterday: date) -> bool:
        """Whether the items of a day have a row of yesterday."""
        return (yesterday - day).days < self.window_days

    def body(self, items: list[Item], *, is_delay: bool | str = False) -> bytes:
        """The answer's bytes; `is_delay` is said where the endpoint has it."""
        listed: list[Json] = [self.written(item) for item in items]
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


def _of_articles(
    keys: Callable[[Article], dict[str, Json]],
    rows: Callable[[Article, list[date]], list[dict[str, Json]]],
    window_days: int,
) -> Callable[[int, str, date, date], list[Item]]:
    """What is known of a publication day: an item per article, a row a day."""

    def known(seed: int, appid: str, publication_date: date, asked_on: date) -> list[Item]:
        days = min(window_days, (asked_on - publication_date).days)
        dates = [publication_date + timedelta(days=age) for age in range(days)]
        return [
            Item(keys=keys(article), rows=rows(article, dates))
            for article in publications(seed, appid, publication_date)
        ]

    return known


def _of_statistics(
    rows: Callable[[int, str, date], Iterable[tuple[dict[str, Json], dict[str, Json]]]],
) -> Callable[[int, str, date, date], list[Item]]:
    """What is known of a statistics day: an item per row."""

    def known(seed: int, appid: str, day: date, _asked_on: date) -> list[Item]:
        at: dict[str, Json] = {"stat_date": day.isoformat()}
        return [
            Item({"ref_date": day.isoformat(), **keys}, [{**at, **row}])
            for keys, row in rows(seed, appid, day)
        ]

    return known


def _as_list(rows_key: str) -> Callable[[Item], dict[str, Json]]:
    return lambda item: {**item.keys, rows_key: [*item.rows]}


def _as_detail(item: Item) -> dict[str, Json]:
    return {**item.keys, "detail": _figures(item)}


def _as_item(item: Item) -> dict[str, Json]:
    return {**item.keys, **_figures(item)}


def _figures(item: Item) -> dict[str, Json]:
    """The only row; nothing once a scenario has taken it out."""
    rows = item.rows or [{}]
    return {name: value for name, value in rows[0].items() if name != "stat_date"}


def _endpoint(
    dataset: Dataset,
    items: Callable[[int, str, date, date], list[Item]],
    written: Callable[[Item], dict[str, Json]],
    *,
    says_is_delay: bool = True,
) -> Endpoint:
    """What is declared of the dataset, and what is made up here."""
    return Endpoint(
        name=dataset.endpoint,
        first_date=dataset.first_day,
        window_days=dataset.row_days,
        items=items,
        written=written,
        says_is_delay=says_is_delay,
        permission_set=dataset.permission_set,
    )


ARTICLE_TOTAL = _endpoint(
    datasets.ARTICLE_TOTAL,
    _of_articles(_total_keys, article_total.rows, 7),
    _as_list("details"),
    says_is_delay=False,
)
ARTICLE_TOTAL_DETAIL = _endpoint(
    datasets.ARTICLE_TOTAL_DETAIL,
    _of_articles(_detail_keys, article_total_detail.rows, 30),
    _as_list("detail_list"),
)
ARTICLE_READ = _endpoint(
    datasets.ARTICLE_READ,
    _of_statistics(
        lambda *asked: (({"msgid": msgid}, row) for msgid, row in article_day.read(*asked))
    ),
    _as_detail,
)
ARTICLE_SHARE = _endpoint(
    datasets.ARTICLE_SHARE,
    _of_statistics(
        lambda *asked: (({"msgid": msgid}, row) for msgid, row in article_day.shared(*asked))
    ),
    _as_detail,
)
ACCOUNT_SUMMARY = _endpoint(
    datasets.ACCOUNT_SUMMARY,
    _of_statistics(lambda *asked: [({}, article_day.summary(*asked))]),
    _as_detail,
)
FOLLOWER_CHANGE = _endpoint(
    datasets.FOLLOWER_CHANGE,
    _of_statistics(
        lambda *asked: (({"user_source": number}, row) for number, row in followers.change(*asked))
    ),
    _as_item,
    says_is_delay=False,
)
FOLLOWER_TOTAL = _endpoint(
    datasets.FOLLOWER_TOTAL,
    # the channel means nothing here
    _of_statistics(
        lambda *asked: [({"user_source": 0}, {"cumulate_user": followers.total(*asked)})]
    ),
    _as_item,
    says_is_delay=False,
)

ENDPOINTS = {
    it.path: it
    for it in (
        *(ARTICLE_TOTAL, ARTICLE_TOTAL_DETAIL, ARTICLE_READ, ARTICLE_SHARE),
        *(ACCOUNT_SUMMARY, FOLLOWER_CHANGE, FOLLOWER_TOTAL),
    )
}
