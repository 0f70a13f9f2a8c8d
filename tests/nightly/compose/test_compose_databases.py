"""Airflow's metadata and the warehouse are apart, and nobody may do more than their work needs."""

import pytest
from installation import Installation

USERS = {
    "airflow": "AIRFLOW_DATABASE_PASSWORD",
    "weixin": "WEIXIN_OWNER_PASSWORD",
    "weixin_loader": "WEIXIN_LOADER_PASSWORD",
    "weixin_page": "WEIXIN_PAGE_PASSWORD",
}
ENTRIES = {
    ("airflow", "airflow"),
    ("weixin", "weixin"),
    ("weixin_loader", "weixin"),
    ("weixin_page", "weixin"),
}


def tries(installation: Installation, user: str, database: str, statement: str) -> str:
    """What Postgres says to a user who comes by the network with the password of `.env`."""
    url = f"postgres://{user}:{installation.secret(USERS[user])}@postgres/{database}"
    psql = f"psql {url} -A -t -c '{statement}'"
    said = installation.types(f"docker compose exec -T postgres {psql}")
    return (said.stdout + said.stderr).strip()


@pytest.mark.parametrize("database", ["airflow", "weixin", "postgres", "template1"])
@pytest.mark.parametrize("user", USERS)
def test_each_user_enters_their_own_database(
    installation: Installation, user: str, database: str
) -> None:
    """And no other."""
    said = tries(installation, user, database, "SELECT 1")

    refused = "permission denied for database" in said
    assert (said == "1", refused) == ((user, database) in ENTRIES, (user, database) not in ENTRIES)


def test_without_the_password_nobody_enters(installation: Installation) -> None:
    """The superuser included; on Postgres' own socket, in its container, it needs none."""
    said = installation.types(
        "docker compose exec -T -e PGPASSWORD=postgres postgres "
        "psql --host=postgres --username=postgres -c 'SELECT 1'"
    )

    assert said.returncode != 0
    assert "password authentication failed" in said.stderr


def test_only_postgres_itself_is_superuser(installation: Installation) -> None:
    """Nor may anybody else make roles or databases."""
    mighty = "SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb"

    assert installation.asks(mighty) == ["postgres"]


def test_the_pipelines_user_owns_its_schemas_and_all_that_is_in_them(
    installation: Installation,
) -> None:
    """So that it can migrate them without a superuser."""
    owners = installation.asks(
        "SELECT DISTINCT nspname || ' ' || nspowner::regrole || ' ' || relowner::regrole "
        "FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid "
        "WHERE nspname IN ('weixin', 'analytics') ORDER BY 1"
    )

    assert owners == ["analytics weixin weixin", "weixin weixin weixin"]
