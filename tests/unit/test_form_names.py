"""What somebody entered is refused with a short sentence, however long it is."""

import pytest

from weixin_etl.model import ParameterError
from weixin_etl.orchestration.form import require_known


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ({"acounts": [], "dryrun": True}, "acounts is no parameter: did you mean accounts?"),
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
        require_known(entered, is_backfill=False)

    assert str(refused.value).startswith(sentence)


def test_days_are_refused_in_a_backfill() -> None:
    """Each of its runs would ask for the same days, whatever its range."""
    with pytest.raises(ParameterError, match="leave begin_date and end_date empty in a backfill"):
        require_known({"begin_date": "2026-11-01"}, is_backfill=True)

    require_known({"begin_date": "", "refetch": True}, is_backfill=True)
