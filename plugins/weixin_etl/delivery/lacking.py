"""What the figures of a day lack, and why: judged by the rows that `digest.py` has read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from weixin_etl.model import State

NOT_ASKED, NOT_COMPUTED = "no run has asked yet", "not computed yet"
SOME_ARTICLES, FOLLOWERS = "figures of some articles are unknown", "followers are unknown"
_AWAITED = (State.LATE, State.BEHIND, NOT_ASKED, NOT_COMPUTED)
_NO_CAUSE = (State.FINAL, State.IN, State.SILENT)


@dataclass(frozen=True, slots=True)
class Lack:
    """Why something of an account's day is not known."""

    account: str
    """The account's unique name."""
    reason: str
    """A state, or one of the sentences of this module."""
    dataset: str = ""
    """The dataset that lacks; empty if the reason is a sentence."""
    days: tuple[date, ...] = ()
    """The days asked for that lack."""
    error_kind: str = ""
    """The kind of the error that an attempt gave; empty without one."""

    @property
    def is_awaited(self) -> bool:
        """Whether the rest may come in this morning."""
        return self.reason in _AWAITED


def find_lacks(
    accounts: Iterable[Row[Any]], followers: Iterable[Row[Any]], states: Sequence[Row[Any]]
) -> list[Lack]:
    """
    Return why accounts' figures of a day are not complete; nothing of an account that has all.

    Args:
        accounts: the rows of `digest/accounts.sql` of the day.
        followers: the rows of `digest/followers.sql`.
        states: the rows of `digest/states.sql`.
    """
    lacks: list[Lack] = []
    for row in accounts:
        if not row.is_complete or row.is_stale:
            lacks += _lacks_of_articles(row, states)
    for row in followers:
        if row.won is None:
            lacks += _causes(row, states, of_articles=False) or [Lack(row.account_name, FOLLOWERS)]
    return lacks


def _lacks_of_articles(account: Row[Any], states: Sequence[Row[Any]]) -> list[Lack]:
    """Return why the articles' figures of an account are not complete: one reason at least."""
    name = account.account_name
    if account.is_stale:
        return [Lack(name, NOT_COMPUTED)]
    of_articles = [row for row in states if row.appid == account.appid and row.is_of_articles]
    if not of_articles:
        return [Lack(name, NOT_ASKED)]
    living = [row for row in of_articles if row.state != State.ENDED]
    causes = _causes(account, living or of_articles, of_articles=True)
    return causes or [Lack(name, SOME_ARTICLES)]


def _causes(account: Row[Any], states: Sequence[Row[Any]], *, of_articles: bool) -> list[Lack]:
    """Return what an account's datasets lack, of articles or of followers."""
    return [
        Lack(account.account_name, row.state, row.dataset, tuple(row.days), row.error_kind or "")
        for row in states
        if row.appid == account.appid
        and row.is_of_articles == of_articles
        and row.state not in _NO_CAUSE
    ]
