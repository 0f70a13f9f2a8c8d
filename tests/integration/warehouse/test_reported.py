"""Answers that users reported run through the pipeline: whatever shapes they have, they load."""

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine
from test_ingest import a_run, ingested, lines, planned
from warehouse_loads import SCHEDULED, rows
from wire import LIMITS

from weixin_etl.api import client as api_client
from weixin_etl.api.client import WeixinClient
from weixin_etl.datasets import DATASETS
from weixin_etl.model import Account
from weixin_etl.probe import saved
from weixin_etl.probe.asking import ask
from weixin_etl.probe.judging import seen
from weixin_sandbox import Sandbox
from weixin_sandbox.reported import Reported

REPORTED = Path(__file__).parents[2] / "fixtures/reported"
FOLDERS = sorted(it for it in REPORTED.iterdir() if it.is_dir())


@pytest.fixture(autouse=True)
def _new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token is remembered."""
    monkeypatch.setattr(api_client, "_keepers", {})


def loaded(warehouse: Engine, account: Account) -> dict[str, int]:
    """What a morning brings in of each dataset, in rows; what is refused is refused as offline."""
    counts = {}
    for dataset in DATASETS.values():
        run = replace(SCHEDULED, dataset=dataset)
        collecting = a_run(warehouse, run)
        refused = lines(ingested(collecting, planned(collecting, account), account))
        assert [it for it in refused if "47009" not in it and "not ready" not in it] == []
        (count,) = rows(warehouse, f"SELECT count(*) FROM weixin.{dataset.fact}")  # noqa: S608
        counts[dataset.name] = count[0]
    return counts


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda it: it.name)
def test_a_reported_folder_loads(
    warehouse: Engine, sandbox: Sandbox, account: Account, folder: Path
) -> None:
    """Each row of its answers becomes a row of the fact."""
    answers = saved.read(folder)
    sandbox.reported = Reported(answers)

    counts = loaded(warehouse, account)

    given = dict.fromkeys(DATASETS, 0)
    for it in answers:
        dataset = DATASETS[it.dataset]
        if (it.asked_on - it.publication_date).days <= dataset.window:
            listed = it.body.get("list", [])
            given[it.dataset] += sum(len(item[dataset.rows_key]) for item in listed)
    assert counts == given
    assert sum(given.values()) > 0


def test_what_a_probe_saves_is_served_and_loads(
    warehouse: Engine, sandbox: Sandbox, account: Account, tmp_path: Path
) -> None:
    """A stranger's answers, made anonymous, are as many rows as the originals were."""
    asked = ask(WeixinClient(account, LIMITS), [*DATASETS.values()], lambda _: None)
    saved.write(tmp_path, saved.anonymised([asked]).answers)
    original = {
        it.dataset.name: sum(
            len(article.rows)
            for found in look.shapes[:2]  # the third day is before the window
            for article in found.parsed.articles.values()
        )
        for it, look in zip(asked.datasets, seen(asked), strict=True)
    }
    sandbox.reported = Reported(saved.read(tmp_path))

    assert loaded(warehouse, account) == original
    assert min(original.values()) > 0
