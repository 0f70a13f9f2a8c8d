"""Tests of the database users of docker compose: each has one database and no needless right."""

import pytest
from installation import Installation

USERS = {
    "airflow": "AIRFLOW_DATABASE_PASSWORD",
    "weixin": "WEIXIN_OWNER_PASSWORD",
    "weixin_loader": "WEIXIN_LOADER_PASSWORD",
    "weixin_page": "WEIXIN_PAGE_PASSWORD",
}


@pytest.mark.parametrize("database", ["airflow", "weixin", "postgres", "template1"])
@pytest.mark.parametrize("user", USERS)
def test_each_user_can_connect_only_to_their_own_database(
    installation: Installation, user: str, database: str
) -> None:
    url = f"postgres://{user}:{installation.secret(USERS[user])}@postgres/{database}"
    process = installation.types(f"docker compose exec -T postgres psql {url} -A -t -c 'SELECT 1'")

    if database == ("airflow" if user == "airflow" else "weixin"):
        assert process.stdout == "1\n"
    else:
        assert "permission denied for database" in process.stderr


def test_only_postgres_is_superuser_and_the_owner_owns_the_schemas(
    installation: Installation,
) -> None:
    """No other user can create roles or databases. The owner migrates without a superuser."""
    mighty = "SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb"
    owners = (
        "SELECT DISTINCT nspname || ' ' || nspowner::regrole || ' ' || relowner::regrole "
        "FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid "
        "WHERE nspname IN ('weixin', 'analytics') ORDER BY 1"
    )

    assert installation.asks(mighty) == ["postgres"]
    assert installation.asks(owners) == ["analytics weixin weixin", "weixin weixin weixin"]
