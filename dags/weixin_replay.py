"""
### Facts rebuilt from the kept answers, without a call to WeChat

```
diff ─► apply
```

Reads WeChat's answers again as they are kept, in the order they were seen, and compares what they
say with the fact: after a fix of the parser, or when figures were changed by other means.

**diff** writes nothing. Its log says which rows are new or get other values, for each metric how
many figures do, with an example. **apply** is skipped unless *Write the difference* is on. It
writes what `diff` showed; figures that get another value are restatements with the cause `replay`.
A replay may run beside daily runs, and be killed: the next one completes it.
"""

from datetime import timedelta

from airflow.sdk import DAG, Param, task

from weixin_etl.datasets import DATASETS
from weixin_etl.orchestration import replay, settings
from weixin_etl.orchestration.retry import WeixinRetryPolicy

PARAMS = {
    "dataset": Param(
        next(iter(DATASETS)),
        enum=list(DATASETS),
        title="Dataset",
        description="Which endpoint's answers to replay.",
    ),
    "accounts": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Accounts",
        description="AppIDs, connection ids or names, one a line. Empty: all.",
    ),
    "begin_date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First publication day",
        description="Beijing. Empty: the first there is.",
    ),
    "end_date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Last publication day",
        description="Beijing, included. Empty: the last there is.",
    ),
    "apply": Param(
        False,
        type="boolean",
        title="Write the difference",
        description="Otherwise only the log of the task diff shows it.",
    ),
}

config = settings.read()

with DAG(
    "weixin_replay",
    description="Facts rebuilt from the kept answers, without a call to WeChat",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    params=PARAMS,
    tags=["weixin"],
    default_args={
        "owner": "weixin-etl",
        "retries": config.retries,
        "retry_policy": WeixinRetryPolicy(config.retry_delay_seconds),
        "execution_timeout": timedelta(hours=12),
    },
):

    @task(doc_md="What the kept answers would change; the log lists it. Writes nothing.")
    def diff() -> None:
        replay.diff()

    @task(doc_md="Writes the difference, if the form says so.")
    def apply() -> None:
        replay.apply()

    diff() >> apply()
