"""Made-up rows of the endpoint `getarticletotal`: 29 cumulative metrics per article and day."""

from datetime import date

from weixin_sandbox.answers import Row
from weixin_sandbox.articles import Article

_ALWAYS = [
    ("int_page_read_user", "int_page_read_count", 1.0, 1.0),
    ("ori_page_read_user", "ori_page_read_count", 0.001, 0.02),
    ("share_user", "share_count", 0.005, 0.06),
    ("add_to_fav_user", "add_to_fav_count", 0.001, 0.02),
    ("int_page_from_session_read_user", "int_page_from_session_read_count", 0.3, 0.6),
    ("int_page_from_hist_msg_read_user", "int_page_from_hist_msg_read_count", 0.01, 0.05),
    ("int_page_from_feed_read_user", "int_page_from_feed_read_count", 0.1, 0.4),
    ("int_page_from_friends_read_user", "int_page_from_friends_read_count", 0.03, 0.15),
    ("int_page_from_other_read_user", "int_page_from_other_read_count", 0.02, 0.2),
    ("feed_share_from_session_user", "feed_share_from_session_cnt", 0.002, 0.02),
    ("feed_share_from_feed_user", "feed_share_from_feed_cnt", 0.001, 0.01),
    ("feed_share_from_other_user", "feed_share_from_other_cnt", 0.0001, 0.002),
]
_OFTEN_ABSENT = [
    ("int_page_from_kanyikan_read_user", "int_page_from_kanyikan_read_count", 0.01, 0.1),
    ("int_page_from_souyisou_read_user", "int_page_from_souyisou_read_count", 0.005, 0.05),
]
UNDECLARED = [("int_page_from_finder_read_user", "int_page_from_finder_read_count", 0.001, 0.02)]
"""Metrics that the dataset does not declare, as WeChat may add them without notice."""


def rows(article: Article, days: list[date]) -> list[Row]:
    """Return one row per day, with the totals from publication to 24:00 of its `stat_date`."""
    totals = _totals(article)
    return [
        {
            "stat_date": day.isoformat(),
            "target_user": article.target_user,
            **{name: int(total * article.reached(day)) for name, total in totals.items()},
        }
        for day in days
    ]


def _totals(article: Article) -> dict[str, float]:
    """Return the final total of each metric. As in real answers, the parts do not add up."""
    random = article.random("article_total")
    pairs = list(_ALWAYS)
    if random.random() < 0.3:
        pairs += _OFTEN_ABSENT
    if random.random() < 0.1:
        pairs += UNDECLARED
    totals = {}
    for user, count, low, high in pairs:
        totals[user] = article.readers * random.uniform(low, high)
        totals[count] = totals[user] * random.uniform(1.05, 1.4)
    return totals
