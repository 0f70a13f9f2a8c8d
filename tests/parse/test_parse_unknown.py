"""Keys that the documentation does not know are kept."""

import pytest
from parse_cases import DAY, NEXT_DAY, body, item, metrics, read, row


def test_an_unknown_metric_is_kept_beside_the_row_and_named() -> None:
    """Whatever its type, unless it is null; a key beside the list changes nothing."""
    parsed = read(
        body(
            item(
                row(share_user=5, like_user=7, scenes=[{"user_count": 1}]),
                row("2026-11-18", share_user=6, seen_user=None),
            ),
            total=1,
        )
    )

    article = parsed.articles["100_1"]
    assert article.row_extras == {DAY: {"like_user": 7, "scenes": [{"user_count": 1}]}}
    assert parsed.unknown_metrics == {"like_user", "scenes"}
    assert metrics(article) == {DAY: {"share_user": 5}, NEXT_DAY: {"share_user": 6}}


def test_an_unknown_key_of_an_article_is_kept_in_extra() -> None:
    """The article's own keys and a null are not."""
    parsed = read(body(item(row(share_user=5), title="第一篇", is_top=True, mood=None)))

    article = parsed.articles["100_1"]
    assert article.extra == {"is_top": True}
    assert article.title == "第一篇"
    assert parsed.unknown_metrics == set()


@pytest.mark.parametrize("keys", [{}, {"is_top": True}], ids=["decoded at once", "row by row"])
def test_user_source_is_kept_in_extra(keys: dict[str, bool]) -> None:
    """No document has it, and many answers do: they are decoded at once all the same."""
    parsed = read(body(item(row(share_user=5), user_source=0, **keys)))

    assert parsed.articles["100_1"].extra == {"user_source": 0} | keys


def test_an_attribute_of_another_type_is_kept_in_extra() -> None:
    """Neither lost nor forced into its column, and the rows go on."""
    parsed = read(
        body(item(row(share_user=5), title=12, publish_type=70_000, url=True, content_url=[]))
    )

    article = parsed.articles["100_1"]
    assert article.extra == {"title": 12, "publish_type": 70_000, "url": True, "content_url": []}
    assert (article.title, article.publish_type) == (None, None)
    assert metrics(article) == {DAY: {"share_user": 5}}
