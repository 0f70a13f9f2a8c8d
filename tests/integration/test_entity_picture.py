"""The entity picture of docs/analysts.md is what ERAlchemy draws of the catalogue."""

import os
import re
from pathlib import Path

from eralchemy import render_er
from sqlalchemy import Column, Engine, ForeignKey, MetaData, Table

from weixin_etl.warehouse.dictionary import dictionary

PAGE = Path(__file__).parents[2] / "docs/analysts.md"
PICTURE = re.compile(r"(?<=```mermaid\n)erDiagram\n.*?(?=```)", re.DOTALL)
OF_AN_ARTICLE = {"msgid": "article_listed.msgid"}
OF_AN_ACCOUNT = {"appid": "account.appid"}
"""Nothing in the warehouse declares what a view's column refers to."""


def drawn(warehouse: Engine, directory: Path) -> str:
    """The views of the analysts, by their keys, as a Mermaid diagram."""
    catalogue = MetaData()
    catalogue.reflect(warehouse, schema="analytics", views=True)
    keys = {(entry.view, entry.column) for entry in dictionary(warehouse) if entry.is_key}
    picture = MetaData()
    for table in sorted(catalogue.tables.values(), key=lambda table: table.name):
        is_below_article = "msgid" in table.columns and table.name != "article_listed"
        parents = OF_AN_ARTICLE if is_below_article else OF_AN_ACCOUNT
        refers = {key: of for key, of in parents.items() if not of.startswith(table.name + ".")}
        columns = [
            Column(
                column.name,
                column.type,
                *[ForeignKey(of) for key, of in refers.items() if key == column.name],
                primary_key=column.primary_key,
                nullable=False,
            )
            for column in table.columns
            if (table.name, column.name) in keys or column.name in refers
        ]
        Table(table.name, picture, *columns)
    file = directory / "picture.md"
    render_er(picture, str(file), mode="mermaid_er")
    lines = re.findall(r"erDiagram.*?(?=\n\n-->)", file.read_text(), re.DOTALL)[0].splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines if line.strip())


def test_the_picture_is_the_catalogues(migrated: Engine, tmp_path: Path) -> None:
    """A view that is new or has another key is drawn; UPDATE_DOCS=1 draws the page's anew."""
    page = PAGE.read_text()
    (shown,) = PICTURE.findall(page)

    picture = drawn(migrated, tmp_path)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page.replace(shown, picture))

    assert shown == picture
