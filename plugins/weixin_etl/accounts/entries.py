"""
The list of accounts in the Airflow Variable `weixin_accounts`.

An entry names a connection, or one account of a connection. The functions parse the entries, group
them by account, and select the accounts of a run. They are pure: `orchestration.connections` asks
services and platforms for their accounts, and passes the answers.
"""

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
_MAX_SUGGESTED_NAMES = 3
_MAX_NAME_CHARACTERS = 64


def parse_entries(text: str) -> list[str]:
    """
    Return the entries of the Variable, each once: `<conn_id>`, or `<conn_id>/<appid>`.

    Raises:
        ParameterError: The text is no JSON list of connection ids, or the list is empty.
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
    """An account that the list names, or an entry without a usable account."""

    conn_ids: Sequence[str]
    """The connection ids by which the list names the account."""
    described: Sequence[Account] = ()
    """The account as each of these connections describes it; empty if there is an error."""
    error: WeixinError | None = None
    """The reason why the entry is unusable."""

    @property
    def names(self) -> set[str]:
        """The names that select the account in the form; a connection selects all its accounts."""
        names = {name for account in self.described for name in (account.appid, account.name)}
        return names.union(self.conn_ids, map(connection_id, self.conn_ids))

    def __str__(self) -> str:
        """Return the account's name, followed by the ids that select it in the form."""
        ids = [*self.conn_ids, *sorted({account.appid for account in self.described})]
        name = self.described[0].name if self.described else ids[0]
        other_ids = ", ".join(id_ for id_ in ids if id_ != name)
        return f"{name} ({other_ids})" if other_ids else name

    def configured(
        self,
        *,
        is_wanted: bool = True,
        chosen: Account | None = None,
        problem: Problem | None = None,
    ) -> ConfiguredAccount:
        """
        Return the account for the plan of a run.

        Args:
            is_wanted: Whether the run collects the account.
            chosen: The account by the connection that the run uses; by default the first one.
            problem: The reason why no connection of the account can be used.
        """
        if self.error:
            conn_id = self.conn_ids[0]
            problem = replace(self.error.problem, conn_id=conn_id)
            return ConfiguredAccount(conn_id, None, conn_id, is_wanted, problem)
        account = chosen or self.described[0]
        return ConfiguredAccount(account.conn_id, account.appid, account.name, is_wanted, problem)


def group_by_account(
    entries: Sequence[str], found: Mapping[str, Sequence[Account] | WeixinError]
) -> list[ListedAccount]:
    """
    Return each account of the entries once, and each entry that is unusable.

    Args:
        entries: The entries of the list.
        found: The accounts of each connection, or the error of a connection that is unusable.

    Returns:
        The unusable entries first, then the accounts in the order of the list.
    """
    accounts: dict[str, list[Account]] = {}
    unusable: dict[str, WeixinError] = {}
    for entry in entries:
        conn_id = connection_id(entry)
        members = found[conn_id]
        if isinstance(members, WeixinError):
            unusable[conn_id] = members
            continue
        chosen = [account for account in members if entry in (conn_id, account.conn_id)]
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
        *(
            ListedAccount([account.conn_id for account in described], described)
            for described in accounts.values()
        ),
    ]


def select_accounts(
    accounts: Sequence[ListedAccount], names: Collection[str]
) -> list[ListedAccount]:
    """
    Return the accounts that a run limited to these names collects; all if there are no names.

    A name that no account has may belong to an account whose entry is unusable. Then the unusable
    entries are selected too.

    Raises:
        ParameterError: No account has one of the names, and every entry is usable.
    """
    unknown = set(names).difference(*(account.names for account in accounts))
    if unknown and not any(account.error for account in accounts):
        first = one_line(min(unknown), _MAX_NAME_CHARACTERS)
        known = {name for account in accounts for name in account.names}
        nearest = difflib.get_close_matches(first, known, len(known), cutoff=0)
        raise ParameterError(
            sentence(
                "accounts: {variable} has no account {name}; there are {names}",
                variable=ACCOUNTS_VARIABLE,
                name=first,
                names=few_names(nearest, _MAX_SUGGESTED_NAMES),
            )
        )
    return [
        account
        for account in accounts
        if not names or not account.names.isdisjoint(names) or (unknown and account.error)
    ]
