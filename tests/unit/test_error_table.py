"""The table of errors in the manual is the error tree's."""

from pathlib import Path

from weixin_etl.trouble.error_table import table

PAGE = Path(__file__).parents[2] / "docs/operating/something-is-red.md"


def test_the_documented_table_is_that_of_the_errors() -> None:
    """`python -m weixin_etl.trouble.error_table` prints it anew."""
    _, _, after = PAGE.read_text().partition("error_table` -->\n")
    documented, _, _ = after.partition("\n<!-- end of errors -->")

    assert documented == table()
