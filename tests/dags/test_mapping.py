"""How accounts are spread over mapped ingest tasks."""

from dag_runs import MORNING, WINDOW, DailyDag, asked
from figures import loaded, truth
from sqlalchemy import Engine

from weixin_sandbox import Sandbox


def test_forty_accounts_are_five_batches(
    daily: DailyDag, sandbox: Sandbox, warehouse: Engine, accounts
):
    """A task costs as much as the calls of eight accounts; every account is loaded."""
    made = accounts(40)

    outcome = daily.run()

    assert outcome.state == "success"
    assert outcome.labels == [f"号{number} +7" for number in range(1, 6)]
    assert asked(sandbox) == dict.fromkeys(WINDOW, 40)
    assert loaded(warehouse) == truth(sandbox, made, WINDOW, MORNING.date())
