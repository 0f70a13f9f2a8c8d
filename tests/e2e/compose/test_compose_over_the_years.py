"""What the manual tells to do once or twice a year, typed on a server, harms nothing."""

import pytest
from installation import DAG, Installation

FACT = "SELECT count(*), sum(int_page_read_user) FROM weixin.fact_article_total"


@pytest.fixture(scope="module")
def loaded(installation: Installation) -> Installation:
    """A server on which a run was made."""
    assert installation.rest().run(DAG)["state"] == "success"
    return installation


def test_a_prune_is_for_the_owner(loaded: Installation) -> None:
    """As the service `init`; the tasks' user looks, and is told who may."""
    as_owner = "docker compose run --rm -T init weixin-etl prune"
    as_loader = "docker compose exec -T scheduler weixin-etl prune"

    assert "each answer that was looked at is needed" in loaded.does(f"{as_owner} --apply")
    assert "each answer that was looked at is needed" in loaded.does(f"{as_loader} --days 0")
    refused = loaded.types(f"{as_loader} --apply")
    assert refused.returncode == 1
    assert "weixin_loader may not delete answers" in refused.stderr


def test_the_next_run_is_good_after_airflows_history_is_cleaned(loaded: Installation) -> None:
    """Everything up to now goes, with its logs, while the scheduler works."""
    before = loaded.asks(FACT)
    loaded.follows("Airflow's own history")
    loaded.does(
        "docker compose exec -T scheduler airflow db clean --skip-archive --yes "
        '--clean-before-timestamp "$(date -u "+%F %T+00:00")"'
    )

    assert loaded.rest().run(DAG)["state"] == "success"
    assert loaded.asks(FACT) == before
