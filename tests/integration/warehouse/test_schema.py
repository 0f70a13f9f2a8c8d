"""What the warehouse promises to whoever looks at it: names, types and the fact's key."""

from sqlalchemy import Engine
from warehouse_loads import rows

from weixin_etl.datasets import DATASETS


def test_names_carry_their_types(warehouse: Engine):
    """
    What ends in _at is an instant, in _date a day, what begins with is_ yes or no; alone so.

    But for two names that the design fixes: a pair's day, and since when an article is unlisted.
    """
    columns = rows(
        warehouse,
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'weixin'",
    )

    def named(type_: str) -> set[str]:
        return {name for _, name, data_type in columns if data_type == type_}

    instants = named("timestamp with time zone") - {"unlisted_since"}
    assert {name for _, name, _ in columns if name.endswith("_at")} == instants
    assert {name for _, name, _ in columns if name.endswith("_date")} == named("date") - {"day"}
    assert {name for _, name, _ in columns if name.startswith("is_")} == named("boolean")
    assert named("timestamp without time zone") == set()


def test_key_of_every_fact(warehouse: Engine):
    """A fact is keyed by account and day, and by article or channel where it has these."""
    for dataset in DATASETS.values():
        key = rows(
            warehouse,
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE conrelid = CAST(:fact AS regclass) AND contype = 'p'",
            fact=f"weixin.{dataset.fact}",
        )

        assert key == [(f"PRIMARY KEY ({', '.join(dataset.key)})",)]


def test_every_metric_is_a_nullable_column_of_its_kind(warehouse: Engine):
    """The fact has a column for each declared metric, and no figure need be there."""
    for dataset in DATASETS.values():
        columns = rows(
            warehouse,
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'weixin' AND table_name = :fact AND is_nullable = 'YES' "
            "AND column_name <> 'extra' ORDER BY ordinal_position",
            fact=dataset.fact,
        )

        assert columns == [(metric.name, metric.kind.value) for metric in dataset.metrics]
    assert len(DATASETS["article_total"].metrics) == 29
