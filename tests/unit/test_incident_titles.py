"""Every kind of problem has a title for its message."""

import pytest

from weixin_etl.problem import Problem, ProblemKind
from weixin_etl.trouble.incidents import title


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_kind_of_problem_has_a_title(kind: ProblemKind) -> None:
    """A new kind without one would be recorded and never told."""
    assert title(Problem(kind, "a cause", "a cure", account="春风", subject="a subject"))
