"""The form of each DAG: what somebody who triggers a run may enter, and nothing else."""

import difflib
from collections.abc import Iterable

from airflow.sdk import Param

from weixin_etl.datasets import DATASETS

DAILY = {
    "begin_date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="First publication day",
        description="Beijing. Leave both days empty for the look-back window.",
    ),
    "end_date": Param(
        None,
        type=["null", "string"],
        format="date",
        title="Last publication day",
        description="Beijing, included; yesterday at the latest.",
    ),
    "accounts": Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        title="Accounts",
        description="Connection ids or AppIDs, one a line. Empty: all.",
    ),
    "refetch": Param(
        False,
        type="boolean",
        title="Ask again for final days",
        description="Final days are skipped otherwise: their totals no longer grow.",
    ),
    "dry_run": Param(
        False,
        type="boolean",
        title="Only show the plan",
        description="The log of the task plan shows what would be asked for.",
    ),
}
REPLAY = {
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
FORMS = {dataset.dag_id: DAILY for dataset in DATASETS.values()} | {"weixin_replay": REPLAY}
"""The form of each DAG, by its id."""

_LONGEST_NAME = 40
_NAMES_IN_SENTENCE = 3


def unknown_parameters(entered: Iterable[str], known: Iterable[str]) -> str:
    """
    What is wrong with the names that were entered, each with the nearest known one; else "".

    Airflow takes a name it does not know without a word: a run limited by `acounts` is not limited.
    """
    names = list(known)
    unknown = sorted(set(entered).difference(names))
    sentences = [
        f"{_shown(name)} is no parameter{_nearest(name, names)}"
        for name in unknown[:_NAMES_IN_SENTENCE]
    ]
    if len(unknown) > _NAMES_IN_SENTENCE:
        sentences.append(f"And {len(unknown) - _NAMES_IN_SENTENCE} more.")
    return " ".join(sentences)


def _nearest(name: str, names: list[str]) -> str:
    """The name that was meant, or all of them when it is like none."""
    near = difflib.get_close_matches(name.lower(), names, n=1)
    return f": did you mean {near[0]}?" if near else f"; there are {', '.join(names)}."


def _shown(name: str) -> str:
    """As it can stand in a line of the log."""
    shown = name if name.isprintable() else ascii(name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[:_LONGEST_NAME]}…"
