"""Every kind of problem has a title for its message."""

import pytest

from weixin_etl.incidents import title
from weixin_etl.model import Problem, ProblemKind


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_kind_of_problem_has_a_title(kind: ProblemKind) -> None:
    """A new kind without one would be recorded and never told."""
    assert title(Problem(kind, "a cause", "a cure", account="春风", subject="a subject"))
