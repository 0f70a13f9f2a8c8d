"""Airflow's programs work on this home, and heed what the caller set."""

from pathlib import Path

import pytest

from weixin_local.home import Home, Source, airflow_environment

SOURCE = Source("weixin://", "postgresql+psycopg2://me@127.0.0.1:5433/weixin", True, "made up")


@pytest.mark.parametrize(
    ("name", "is_the_callers"),
    [
        ("AIRFLOW_CONN_WEIXIN_DEFAULT", True),
        ("AIRFLOW_CONN_WEIXIN_WAREHOUSE", False),
        ("AIRFLOW__WEIXIN__CONCURRENCY", True),
        ("AIRFLOW__CORE__PARALLELISM", True),
        ("AIRFLOW_HOME", False),
        ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", False),
    ],
)
def test_what_the_caller_set_stays_but_what_ties_the_programs_to_this_home(
    name: str, is_the_callers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections and settings are the caller's; another Airflow of theirs is not disturbed."""
    monkeypatch.setenv(name, "the caller's")
    home = Home(Path(__file__).parents[3], Path("/nowhere"))

    environment = airflow_environment(home, SOURCE, "sqlite://", home.airflow)

    assert (environment[name] == "the caller's") is is_the_callers
    assert environment["AIRFLOW__API__DEFAULT_WRAP"] == "True"  # of docker/airflow.env
