"""What an account published and how fast it was read: made up, and the same for the same seed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from weixin_sandbox.titles import title

_FIRST_MESSAGE_ID = 2_247_483_647
"""Message ids count up from here in every account, so two accounts share them."""
_FIRST_DAY = date(2014, 12, 1)
_SILENT_DAYS = 2 / 7
_NOTIFIED = 4 / 5
_MOST_MESSAGES = 2
_MOST_ARTICLES = 8


def random_of(*parts: object) -> Random:
    """A generator of its own for whatever the parts name."""
    return Random("|".join(map(str, parts)))  # noqa: S311 - made-up figures, not keys


def followers_once(seed: int, appid: str) -> int:
    """About how many people follow an account."""
    return random_of(seed, appid).randint(20_000, 300_000)


@dataclass(frozen=True)
class Article:
    """One article: how many people it will reach in the end, and how fast it gets there."""

    seed: int
    appid: str
    publication_date: date
    message_id: int
    position: int
    title: str
    target_user: int
    readers: float
    decay: float

    @property
    def msgid(self) -> str:
        """`<message>_<index>`, unique inside its account only."""
        return f"{self.message_id}_{self.position}"

    @property
    def url(self) -> str:
        """The article's page; it leads nowhere."""
        sn = hashlib.sha256(f"{self.appid}|{self.msgid}".encode()).hexdigest()[:32]
        return (
            f"http://mp.weixin.qq.com/s?__biz={self.appid}&mid={self.message_id}"
            f"&idx={self.position}&sn={sn}#rd"
        )

    @property
    def is_notified(self) -> bool:
        """Whether followers were told of its message; about one of five goes out silently."""
        return random_of(self.seed, self.appid, self.message_id, "notified").random() < _NOTIFIED

    def reached(self, day: date) -> float:
        """The share of the final totals reached by 24:00 of a day, in (0, 1), rising with it."""
        return float(1 - self.decay ** ((day - self.publication_date).days + 1))

    def random(self, purpose: str) -> Random:
        """A generator of this article's own, one per purpose."""
        return random_of(self.seed, self.appid, self.msgid, purpose)


def publications(seed: int, appid: str, day: date) -> Iterator[Article]:
    """The articles an account published on a day: none on about two days of seven."""
    random = random_of(seed, appid, day)
    if random.random() < _SILENT_DAYS:
        return
    followers = followers_once(seed, appid)
    first_message = _FIRST_MESSAGE_ID + (day - _FIRST_DAY).days * _MOST_MESSAGES
    for message_id in range(first_message, first_message + random.randint(1, _MOST_MESSAGES)):
        target_user = int(followers * random.uniform(0.9, 1.1))
        for position in range(1, random.randint(1, _MOST_ARTICLES) + 1):
            readers = target_user * (random.uniform(0.03, 0.15) / position)
            headline, decay = title(random), random.uniform(0.2, 0.5)
            yield Article(
                *(seed, appid, day, message_id, position, headline, target_user, readers, decay)
            )
