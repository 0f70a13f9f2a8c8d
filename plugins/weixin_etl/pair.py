"""A publication day on its way into the warehouse: its answer, and what came of it."""

from dataclasses import dataclass, field
from datetime import date

from weixin_etl.api.client import Answer
from weixin_etl.api.errors import WeixinError
from weixin_etl.parse.articles import Parsed


@dataclass(frozen=True, slots=True)
class Pair:
    """
    A publication day of the account: its answer taken apart, or why there is none.

    With neither, it was not asked for because its totals are final.
    """

    publication_date: date
    calls: int
    answer: Answer | None = None
    parsed: Parsed = field(default_factory=Parsed)
    error: WeixinError | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What a merge did, in rows (`restated` and `kept`: in figures)."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    restated: int = 0
    kept: int = 0
    """Figures that the answer left out and that keep their value."""


@dataclass(frozen=True, slots=True)
class PairReport:
    """What came of a pair. `state` is as in `weixin.run_report`; not_ready and failed say why."""

    pair: Pair
    counts: Counts
    state: str
    error: WeixinError | None
