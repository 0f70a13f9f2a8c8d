"""What the tests of the analysts' views share."""

import pytest
from sqlalchemy import Engine, MetaData


@pytest.fixture(scope="session")
def tables(migrated: Engine) -> MetaData:
    """The pipeline's tables."""
    known = MetaData()
    known.reflect(migrated, schema="weixin")
    return known
