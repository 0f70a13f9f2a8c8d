"""What somebody entered is refused with a short sentence, however long it is."""

import pytest

from weixin_etl.model import ParameterError
from weixin_etl.orchestration.form import PARAMS, require_known


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        (
            {"acounts": [], "dryrun": True},
            "acounts is no parameter: did you mean accounts? dryrun ",
        ),
        ({"Dry_Run": 1}, "Dry_Run is no parameter: did you mean dry_run?"),
        (
            {"zz": 1},
            "zz is no parameter; there are begin_date, end_date, accounts, refetch, dry_run.",
        ),
        ({"a" * (1 << 20): 1}, f"{'a' * 40}… is no parameter; there are begin_date, "),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    entered: dict[str, object], sentence: str
) -> None:
    """Airflow takes it without a word: a run limited by `acounts` would not be limited."""
    with pytest.raises(ParameterError) as refused:
        require_known(entered, PARAMS, is_backfill=False)

    assert str(refused.value).startswith(sentence)


def test_of_many_unknown_names_three_are_named() -> None:
    """There may be a million."""
    with pytest.raises(ParameterError) as refused:
        require_known(dict.fromkeys(map(str, range(100_000))), PARAMS, is_backfill=False)

    assert str(refused.value).endswith(" And 99997 more.")
    assert len(str(refused.value)) < 400


def test_days_are_refused_in_a_backfill() -> None:
    """Each of its runs would ask for the same days, whatever its range."""
    with pytest.raises(ParameterError, match="leave begin_date and end_date empty in a backfill"):
        require_known({"begin_date": "2026-11-01"}, PARAMS, is_backfill=True)

    require_known({"begin_date": "", "refetch": True}, PARAMS, is_backfill=True)
