"""The table of errors in the manual is the error tree's."""

from pathlib import Path

from weixin_etl.api.errors import BY_CODE, WHAT_TO_CHANGE
from weixin_etl.trouble.error_table import table

PAGE = Path(__file__).parents[2] / "docs/operating/something-is-red.md"


def test_the_documented_table_is_that_of_the_errors() -> None:
    """`python -m weixin_etl.trouble.error_table` prints it anew."""
    _, _, after = PAGE.read_text().partition("error_table` -->\n")
    documented, _, _ = after.partition("\n<!-- end of errors -->")

    assert documented == table()


def test_every_errcode_is_in_the_table() -> None:
    """Whatever class or advice it has."""
    listed = {word.strip(",") for row in table().splitlines() for word in row.split("|")[2].split()}

    assert {str(code) for code in [*BY_CODE, *WHAT_TO_CHANGE]} <= listed
