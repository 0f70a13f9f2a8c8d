"""A new version brings both databases up to itself, and keeps what is in them."""

from pathlib import Path

from installation import Installation

import weixin_etl

VERSION = weixin_etl.__version__
LATER = f"{VERSION}.post1"
COUNT = "SELECT count(*) FROM weixin.fact_article_total"


def release(folder: Path) -> None:
    """Make the checkout that of a later version, with one migration more."""
    of_version = folder / "plugins/weixin_etl/__init__.py"
    of_version.write_text(of_version.read_text().replace(VERSION, LATER))
    migrations = folder / "sql/migrations"
    number = len([*migrations.iterdir()]) + 1
    (migrations / f"{number:04}_later.sql").write_text("CREATE TABLE weixin.later (id int);\n")
    env = folder / ".env"
    env.write_text(env.read_text().replace("AIRFLOW_JWT_SECRET=", "AN_OLDER_SECRET="))


def test_an_upgrade_by_the_manual_migrates_and_keeps_the_rows(installation: Installation) -> None:
    """A secret the new version needs is made, an old one stays; the loader may fill the table."""
    assert installation.runs()
    rows, password = installation.asks(COUNT), installation.secret("AIRFLOW_ADMIN_PASSWORD")
    release(installation.folder)

    installation.follows("Upgrade")

    version = "docker compose exec -T scheduler weixin-etl --version"
    assert installation.does(version) == f"weixin-etl {LATER}\n"
    assert installation.asks(COUNT) == rows
    assert installation.asks("INSERT INTO weixin.later VALUES (1)", user="weixin_loader")
    assert installation.secret("AIRFLOW_ADMIN_PASSWORD") == password
    assert len(installation.secret("AIRFLOW_JWT_SECRET")) == 64
    assert installation.runs()
