"""A backup, made and restored as the manual says, brings everything back into empty volumes."""

import pytest
from installation import DAG, Installation

TABLES = """
    SELECT 'fact', md5(string_agg(it::text, '' ORDER BY it::text)) FROM weixin.fact_article_total it
    UNION ALL
    SELECT 'raw', md5(string_agg(it::text, '' ORDER BY it::text)) FROM weixin.raw_response it
    UNION ALL
    SELECT 'coverage', md5(string_agg(it::text, '' ORDER BY it::text)) FROM weixin.coverage it
    UNION ALL
    SELECT 'migrations', string_agg(version, ' ') FROM weixin.schema_migrations
"""
SECOND = {
    "connection_id": "weixin_second",
    "conn_type": "weixin",
    "login": "wx2",
    "password": "of-the-second-account",
}


@pytest.fixture(scope="module")
def installation(base_images: None, checkout: Installation) -> Installation:
    """One of its own."""
    checkout.install()
    return checkout


@pytest.fixture(scope="module")
def before(installation: Installation) -> list[str]:
    """What a warehouse held that is gone now; its backup was restored into new volumes."""
    installation.rest()("POST", "connections", SECOND)
    assert installation.rest().run(DAG)["state"] == "success"
    installation.follows("Back up")
    dumps = [*installation.folder.glob("*.dump")]
    assert [(len(dumps), dump.stat().st_mode & 0o777) for dump in dumps] == [(2, 0o600)] * 2
    tables = installation.asks(TABLES)
    installation.does("docker compose down --volumes")
    installation.follows("Restore")
    return tables


def test_every_row_is_back(installation: Installation, before: list[str]) -> None:
    """Facts, exact answers, coverage and the list of migrations, to the byte."""
    assert len(before) == 4
    assert installation.asks(TABLES) == before


@pytest.mark.usefixtures("before")
def test_airflow_knows_its_history_and_can_read_its_connections(installation: Installation) -> None:
    """The run of before, and a password that the Fernet key of `.env` opens."""
    runs = installation.rest()("GET", f"dags/{DAG}/dagRuns")["dag_runs"]
    connection = installation.does(
        "docker compose exec -T api-server airflow connections get weixin_second --output json"
    )

    assert "success" in {run["state"] for run in runs if run["run_type"] == "manual"}
    assert "of-the-second-account" in connection


def test_the_next_run_goes_on_where_the_backup_ends(
    installation: Installation, before: list[str]
) -> None:
    """The loader may do its work there, and the figures are the same."""
    assert installation.rest().run(DAG)["state"] == "success"
    assert installation.asks(TABLES)[0] == before[0]


@pytest.mark.usefixtures("before")
def test_analysts_are_let_in(installation: Installation) -> None:
    """As the manual says: to the views and facts, not to the exact answers."""
    installation.follows("Let analysts in")

    assert installation.asks("SELECT count(*) > 0 FROM analytics.article_7d", user="ann") == ["t"]
    refused = installation.types(
        "docker compose exec -T postgres psql --username=ann --dbname=weixin "
        "--command='SELECT * FROM weixin.raw_response'"
    )
    assert "permission denied for table raw_response" in refused.stderr
