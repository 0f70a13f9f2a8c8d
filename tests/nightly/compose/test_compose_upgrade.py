"""A test of the manual's upgrade to a later version."""

from pathlib import Path

from installation import Installation

import weixin_etl

VERSION = weixin_etl.__version__
LATER = f"{VERSION}.post1"
COUNT = "SELECT count(*) FROM weixin.fact_article_total"


def release(folder: Path) -> None:
    """Turn the checkout into a later version with a further migration."""
    package = folder / "plugins/weixin_etl/__init__.py"
    package.write_text(package.read_text().replace(VERSION, LATER))
    migrations = folder / "sql/migrations"
    number = len([*migrations.iterdir()]) + 1
    (migrations / f"{number:04}_later.sql").write_text("CREATE TABLE weixin.later (id int);\n")
    env = folder / ".env"
    env.write_text(env.read_text().replace("AIRFLOW_JWT_SECRET=", "AN_OLDER_SECRET="))


def test_an_upgrade_by_the_manual_migrates_and_keeps_the_rows(installation: Installation) -> None:
    """New secrets are generated and old ones stay. The loader may write to a new table."""
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
