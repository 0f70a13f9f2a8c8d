"""Tests of the manual's backup and restore, and of its access for analysts."""

import pytest
from installation import DAG, Installation

TABLES = """
    SELECT 'fact', md5(string_agg(x::text, '' ORDER BY x::text)) FROM weixin.fact_article_total AS x
    UNION ALL
    SELECT 'raw', md5(string_agg(x::text, '' ORDER BY x::text)) FROM weixin.raw_response AS x
    UNION ALL
    SELECT 'coverage', md5(string_agg(x::text, '' ORDER BY x::text)) FROM weixin.coverage AS x
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
    """Install the project for this file alone."""
    checkout.install()
    return checkout


def test_a_restore_into_new_volumes_brings_every_row_back(installation: Installation) -> None:
    """
    Facts, answers, coverage and migrations are equal, and the next run succeeds.

    Airflow still has its earlier run, and decrypts a password with the Fernet key of `.env`.
    """
    installation.rest()("POST", "connections", SECOND)
    run_id = installation.runs()["dag_run_id"]
    installation.follows("Back up")
    dumps = [dump.stat().st_mode & 0o777 for dump in installation.folder.glob("*.dump")]
    before = installation.asks(TABLES)
    installation.does("docker compose down --volumes")
    installation.follows("Restore")

    assert dumps == [0o600, 0o600]
    assert len(before) == 4
    assert installation.asks(TABLES) == before
    connection = installation.does(
        "docker compose exec -T api-server airflow connections get weixin_second --output json"
    )
    assert SECOND["password"] in connection
    assert installation.rest()("GET", f"dags/{DAG}/dagRuns/{run_id}")["state"] == "success"
    assert installation.runs()
    assert installation.asks(TABLES)[0] == before[0]


def test_analysts_can_read_views_and_no_answers(installation: Installation) -> None:
    installation.follows("Let analysts in")

    assert installation.asks("SELECT count(*) > 0 FROM analytics.article_7d", user="ann") == ["t"]
    assert installation.asks("SHOW temp_file_limit", user="ann") == ["5GB"]
    refused = installation.types(
        "docker compose exec -T postgres psql --username=ann --dbname=weixin "
        "--command='SELECT * FROM weixin.raw_response'"
    )
    assert "permission denied for table raw_response" in refused.stderr
