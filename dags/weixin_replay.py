"""
### Facts rebuilt from the kept answers, without a call to WeChat

```
diff ─► apply
```

Reads WeChat's answers again as they are kept, in the order they were seen, and compares what they
say with the fact: after a fix of the parser, or when figures were changed by other means.

**diff** writes nothing. Its log says which rows are new or get other values, for each metric how
many figures do, with an example. **apply** is skipped unless *Write the difference* is on. It
writes what `diff` showed; rows that change are kept as they were in the fact's history, with the
cause `replay`. A replay may run beside daily runs, and be killed: the next one completes it.
"""

from datetime import timedelta

from airflow.sdk import DAG, task

from weixin_etl.orchestration import form, replay, settings
from weixin_etl.orchestration.retry import WeixinRetryPolicy

config = settings.read()

with DAG(
    "weixin_replay",
    description="Facts rebuilt from the kept answers, without a call to WeChat",
    doc_md=__doc__,
    schedule=None,
    is_paused_upon_creation=False,  # nothing runs unless somebody triggers it
    max_active_runs=1,
    params=form.REPLAY,
    tags=["weixin"],
    default_args={
        "owner": "weixin-etl",
        "retries": config.retries,
        "retry_policy": WeixinRetryPolicy(config.retry_delay_seconds),
        # of a task that was killed: no policy is asked then
        "retry_delay": timedelta(seconds=config.retry_delay_seconds),
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
