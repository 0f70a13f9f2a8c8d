"""The way to the warehouse as its connection describes it."""

import traceback
from typing import Any

import pytest
from sqlalchemy import make_url

from weixin_etl import warehouse
from weixin_etl.problem import WarehouseError
from weixin_etl.warehouse.connection import requiring_tls

PASSWORD = "p@ss/w:rd%"
QUOTED = "p%40ss%2Fw%3Ard%25"


@pytest.mark.parametrize(
    ("described", "rendered"),
    [
        (
            ("db.example.org", 5432, "etl", PASSWORD, "weixin", {}),
            f"postgresql+psycopg2://etl:{QUOTED}@db.example.org:5432/weixin",
        ),
        (
            ("db.example.org", None, "etl", None, "weixin", {}),
            "postgresql+psycopg2://etl@db.example.org/weixin",
        ),
        (
            ("/var/run/postgresql", 5433, "etl", None, "weixin", {}),
            "postgresql+psycopg2://etl@/weixin?host=%2Fvar%2Frun%2Fpostgresql&port=5433",
        ),
        (
            (None, 5433, "etl", None, "weixin", {"host": "/var/run/postgresql"}),
            "postgresql+psycopg2://etl@/weixin?host=%2Fvar%2Frun%2Fpostgresql&port=5433",
        ),
        (
            ("", None, "etl", None, "weixin", {"host": "/run/pg"}),
            "postgresql+psycopg2://etl@/weixin?host=%2Frun%2Fpg",
        ),
        (
            ("h", 5432, "etl", None, "weixin", {"sslmode": "verify-full", "keepalives_idle": 30}),
            "postgresql+psycopg2://etl@h:5432/weixin?keepalives_idle=30&sslmode=verify-full",
        ),
        (
            ("h", 5432, "etl", None, "weixin", {"iam": False, "options": None, "more": {"a": 1}}),
            "postgresql+psycopg2://etl@h:5432/weixin",
        ),
    ],
    ids=["TCP", "no port", "socket", "socket in extra", "no host", "libpq", "not libpq"],
)
def test_a_connection_is_a_url(
    described: tuple[Any, Any, Any, Any, Any, dict[str, Any]], rendered: str
) -> None:
    """Over TCP and over a Unix socket; extras that are texts or numbers are libpq parameters."""
    url = warehouse.url(*described)

    assert url.render_as_string(hide_password=False) == rendered


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://etl@db.example.org/weixin", "require"),
        ("postgresql://etl@localhost.example.org/weixin", "require"),
        ("postgresql://etl@127.0.0.1:5433/weixin", None),
        ("postgresql://etl@[::1]/weixin", None),
        ("postgresql://etl@localhost/weixin", None),
        ("postgresql://etl@/weixin?host=/run/pg&port=5433", None),
        ("postgresql://etl@/weixin?host=db.example.org", "require"),
        ("postgresql://etl@localhost/weixin?hostaddr=10.1.2.3", "require"),
        ("postgresql://etl@/weixin?service=warehouse", "require"),
        ("postgresql://etl@127.0.0.1/weixin?sslmode=verify-full", "verify-full"),
        ("postgresql://etl@db.example.org/weixin?sslmode=disable", "disable"),
    ],
)
def test_migrations_insist_on_tls(url: str, sslmode: str | None) -> None:
    """Not on the same machine, else yes, and as the connection says; the rest stays as it is."""
    told = requiring_tls(make_url(url))

    assert told.query.get("sslmode") == sslmode
    assert told.difference_update_query(["sslmode"]) == make_url(url).difference_update_query(
        ["sslmode"]
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "no such host", "a%zz"])
def test_the_password_is_not_in_the_error_of_a_migration(host: str) -> None:
    """Nobody listens there, or it is no name at all."""
    url = warehouse.url(host, 1, "etl", PASSWORD, "weixin", {})

    with pytest.raises(WarehouseError, match="the warehouse could not be migrated: ") as error:
        warehouse.migrate(url)

    assert not shows_password(error.value)


def shows_password(error: BaseException) -> bool:
    """Whether it stands in what Python would print of an error."""
    printed = "".join(traceback.format_exception(error))
    return PASSWORD in printed or QUOTED in printed


def test_an_engine_does_not_show_its_password() -> None:
    """In no log line."""
    engine = warehouse.engine(warehouse.url("127.0.0.1", 1, "etl", PASSWORD, "weixin", {}))

    assert repr(engine) == "Engine(postgresql+psycopg2://etl:***@127.0.0.1:1/weixin)"
    assert engine.hide_parameters
