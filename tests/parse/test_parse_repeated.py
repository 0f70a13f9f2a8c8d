"""The same key twice in one answer is one row: the last non-null value of each field."""

from parse_cases import DAY, NEXT_DAY, body, item, metrics, read, row


def test_an_article_with_and_without_its_url_is_one_article() -> None:
    """Whichever comes first; a row both have is one row."""
    with_url = item(row(share_user=5), title="第一篇", url="http://a")
    without_url = item(row(share_user=5), title="第一篇")

    for items in ([with_url, without_url], [without_url, with_url]):
        parsed = read(body(*items))

        article = parsed.articles["100_1"]
        assert (article.title, article.url) == ("第一篇", "http://a")
        assert metrics(article) == {DAY: {"share_user": 5}}
        assert parsed.row_count == 1


def test_a_repeated_row_has_the_last_value_of_each_field() -> None:
    """A null or an absent metric takes no value away; other days and articles stay apart."""
    parsed = read(
        body(
            item(
                row(share_user=5, share_count=8, target_user=100),
                row(share_user=6, share_count=None),
                row(share_user=7),
            ),
            item(row("2026-11-18", share_user=6)),
            item(row(share_user=1), msgid="100_2"),
        )
    )

    assert metrics(parsed.articles["100_1"]) == {
        DAY: {"share_user": 7, "share_count": 8, "target_user": 100},
        NEXT_DAY: {"share_user": 6},
    }
    assert metrics(parsed.articles["100_2"]) == {DAY: {"share_user": 1}}
    assert parsed.row_count == 3


def test_the_unknown_keys_of_repetitions_are_put_together() -> None:
    """Of rows and of articles, the last value of each."""
    parsed = read(
        body(
            item(row(like_user=1, seen_user=2), is_top=True, mood="a"),
            item(row(like_user=3), mood="b"),
        )
    )

    article = parsed.articles["100_1"]
    assert article.row_extras == {DAY: {"like_user": 3, "seen_user": 2}}
    assert article.extra == {"is_top": True, "mood": "b"}
