"""The list of accounts: what its entries say, and which accounts they stand for. Pure."""

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from weixin_etl.model import Account, ConfiguredAccount, ParameterError, connection_id
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from weixin_etl.sentences import sentence
from weixin_etl.text import few_names, one_line

ACCOUNTS_VARIABLE = "weixin_accounts"
_NAMES_IN_SENTENCE = 3
_LONGEST_NAME = 64


def parse_entries(text: str) -> list[str]:
    """
    The entries of the Variable: connections, and `<conn_id>/<appid>` for one of its accounts.

    Raises:
        ParameterError: it is no JSON list of connection ids, or names no account.
    """
    try:
        entries = msgspec.json.decode(text, type=list[str])  # noqa: TID251 - texts alone
    except msgspec.MsgspecError:
        frame = (
            "the Airflow Variable {variable} is not a JSON list of connection ids; "
            "write it like {example}"
        )
    else:
        if entries:
            return [*dict.fromkeys(entries)]
        frame = "the Airflow Variable {variable} names no account; write it like {example}"
    example = json.dumps(["weixin_default"])
    raise ParameterError(sentence(frame, variable=ACCOUNTS_VARIABLE, example=example))


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account that the list names, or an entry that stands for none."""

    conn_ids: Sequence[str]
    """The connection ids under which the list names it."""
    described: Sequence[Account] = ()
    """The account as each of these connections describes it; none if it can't be asked."""
    error: WeixinError | None = None
    """Why it can't be asked."""

    @property
    def names(self) -> set[str]:
        """What the form may call it: a connection means all of its accounts."""
        called = {name for it in self.described for name in (it.appid, it.name)}
        return called.union(self.conn_ids, map(connection_id, self.conn_ids))

    def __str__(self) -> str:
        """What people call it, and what the form may call it."""
        ids = [*self.conn_ids, *sorted({it.appid for it in self.described})]
        name = self.described[0].name if self.described else ids[0]
        others = ", ".join(it for it in ids if it != name)
        return f"{name} ({others})" if others else name

    def configured(
        self,
        *,
        is_wanted: bool = True,
        chosen: Account | None = None,
        problem: Problem | None = None,
    ) -> ConfiguredAccount:
        """What the run is told of it: by the connection that was chosen, if any."""
        if self.error:
            conn_id = self.conn_ids[0]
            why = replace(self.error.problem, conn_id=conn_id)
            return ConfiguredAccount(conn_id, None, conn_id, is_wanted, why)
        it = chosen or self.described[0]
        return ConfiguredAccount(it.conn_id, it.appid, it.name, is_wanted, problem)


def group_by_account(
    entries: Sequence[str], found: Mapping[str, Sequence[Account] | WeixinError]
) -> list[ListedAccount]:
    """
    The accounts that the entries stand for, each once, and the entries that stand for none.

    `found` are the accounts of each connection, or why it can't be used.
    """
    accounts: dict[str, list[Account]] = {}
    unusable: dict[str, WeixinError] = {}
    for entry in entries:
        conn_id = connection_id(entry)
        its = found[conn_id]
        if isinstance(its, WeixinError):
            unusable[conn_id] = its
            continue
        chosen = [it for it in its if entry in (conn_id, it.conn_id)]
        if not chosen:
            unusable[entry] = WeixinError(
                ProblemKind.CONFIGURATION, account=entry, code="no_account"
            )
        for account in chosen:
            described = accounts.setdefault(account.appid, [])
            if account not in described:
                described.append(account)
    return [
        *(ListedAccount([entry], error=error) for entry, error in unusable.items()),
        *(ListedAccount([it.conn_id for it in those], those) for those in accounts.values()),
    ]


def select_accounts(
    accounts: Sequence[ListedAccount], names: Collection[str]
) -> list[ListedAccount]:
    """
    The accounts that a run limited to these names collects; without names all.

    A name that is nobody's may be that of an account whose entry can't be used now.

    Raises:
        ParameterError: a name is nobody's, and every entry can be used.
    """
    unknown = set(names).difference(*(it.names for it in accounts))
    if unknown and not any(it.error for it in accounts):
        first = one_line(min(unknown), _LONGEST_NAME)
        known = {name for it in accounts for name in it.names}
        nearest = difflib.get_close_matches(first, known, len(known), cutoff=0)
        raise ParameterError(
            sentence(
                "accounts: {variable} has no account {name}; there are {names}",
                variable=ACCOUNTS_VARIABLE,
                name=first,
                names=few_names(nearest, _NAMES_IN_SENTENCE),
            )
        )
    return [
        it
        for it in accounts
        if not names or not it.names.isdisjoint(names) or (unknown and it.error)
    ]
