"""The tables of errors in the manual are the error tree's, in both languages."""

from collections.abc import Callable
from pathlib import Path

import pytest

from weixin_etl.health import chinese
from weixin_etl.health.error_table import table

PAGES = Path(__file__).parents[2] / "docs/operating"


@pytest.mark.parametrize(
    ("page", "argument", "said"),
    [("something-is-red.md", "", str), ("something-is-red.zh-CN.md", " zh-CN", chinese.of)],
)
def test_the_documented_table_is_that_of_the_errors(
    page: str, argument: str, said: Callable[[str], str]
) -> None:
    """`python -m weixin_etl.health.error_table` prints it anew."""
    _, _, after = (PAGES / page).read_text().partition(f"error_table{argument}` -->\n")
    documented, _, _ = after.partition("\n<!-- end of errors -->")

    assert documented == table(said)
