"""What came of asking for a pair, written down for its load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from weixin_etl import rules
from weixin_etl.api.client import Answer, Refusal
from weixin_etl.api.errors import DailyQuotaError, UnreadableError, WeixinError
from weixin_etl.datasets import Dataset
from weixin_etl.load.stage import article_line, packed, row_lines
from weixin_etl.model import Account, Counts, Pair, PairState, Summary
from weixin_etl.parse.articles import Parsed, Rejected


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of asking for a pair: a refusal, or an answer as the bytes that COPY takes.

    Beyond what was parsed it knows whose answer it is, what it cost and when it came. It takes a
    fraction of the memory of the answer and of its articles, and less still once it is merged.
    """

    account: Account
    publication_date: date
    calls: int
    ended_at: datetime
    """When the answer had come, or the pair was given up."""
    error: WeixinError | None = None
    """
    Why the pair is not in. With an answer that is not judged yet: no articles can be made out in
    it, so that only its bytes are kept.
    """
    next_attempt_at: datetime | None = None
    """Before it the account is not asked again: its daily quota is used up."""
    summary: Summary | None = None
    """None without an answer."""
    size: int = 0
    """Bytes of the answer, and of what is rejected of it."""
    body_zstd: bytes = b""
    body_sha256: bytes = b""
    msgids: tuple[str, ...] = ()
    """The msgids of the articles that the answer describes."""
    articles: Sequence[bytes] = ()
    """A line each, in the order of `msgids`, without its end, which all of the pair share."""
    rows: Mapping[tuple[str, date], bytes] = field(default_factory=dict)
    """A line each, without its end, by msgid and stat_date."""
    parsed: Parsed | None = None
    """What the answer says beside its articles."""
    counts: Counts = Counts()  # noqa: RUF009 # it is frozen
    """What its merge did."""
    state: PairState | None = None
    """What it makes of its pair; None until it is judged."""

    @property
    def pair(self) -> Pair:
        """The account and its publication day."""
        return self.account.appid, self.publication_date

    @property
    def readable(self) -> Summary | None:
        """The answer in short, if articles can be made out in it."""
        return None if self.error else self.summary

    @property
    def rejected_parts(self) -> Sequence[Rejected]:
        """The parts of the answer that do not fit, until it is merged."""
        return self.parsed.rejected if self.parsed else ()

    @property
    def rejected(self) -> int:
        """How many these are."""
        return self.summary.rejected if self.summary else 0

    @property
    def is_retryable(self) -> bool:
        """Whether another try may bring the pair in, without anybody's doing."""
        return self.error is not None and self.error.kind.is_retried

    def merged(self, counts: Counts) -> "Outcome":
        """The same once it is merged: what it said is in the tables."""
        return replace(
            self, size=0, body_zstd=b"", msgids=(), articles=(), rows={}, parsed=None, counts=counts
        )


def refused(account: Account, day: date, refusal: Refusal) -> Outcome:
    """The outcome of a call that brought no figures."""
    error, at = refusal.error, refusal.refused_at
    again_at = rules.next_attempt_at(at) if isinstance(error, DailyQuotaError) else None
    return Outcome(account, day, refusal.calls, at, error, again_at)


def answered(
    dataset: Dataset, account: Account, day: date, answer: Answer, parsed: Parsed
) -> Outcome:
    """The outcome of a call that was answered."""
    articles = parsed.articles.values()
    described = parsed.articles if dataset.describes_articles else {}
    error = UnreadableError(parsed.unreadable, account=str(account)) if parsed.unreadable else None
    return Outcome(
        account,
        day,
        answer.calls,
        answer.fetched_at,
        error,
        summary=parsed.summary(answer.fetched_at),
        size=len(answer.body) + sum(len(it.payload) for it in parsed.rejected),
        body_zstd=packed(answer.body),
        body_sha256=answer.sha256,
        msgids=tuple(described),
        articles=[article_line(it) for it in described.values()],
        rows=row_lines(dataset, articles),
        parsed=replace(parsed, articles={}),
    )
