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
    Return the entries of the Variable's text in its order, each once.

    An entry is `<conn_id>` or `<conn_id>/<appid>`. Whether a connection has this id is not checked.

    Raises:
        ParameterError: The text is no JSON list of texts, or the list is empty.
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
        """
        The names that select the account in the form: AppID, name, and every connection id.

        The id of a connection that stands for several accounts selects all of them.
        """
        names = {name for account in self.described for name in (account.appid, account.name)}
        return names.union(self.conn_ids, map(connection_id, self.conn_ids))

    def __str__(self) -> str:
        """
        Return the account's name, followed by its connection ids and AppID in brackets.

        The name of an unusable entry is its connection id. Ids equal to the name are left out.
        """
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
        Return the account, without its secret, for the plan of a run.

        An unusable entry has no AppID. Its connection id is its name, and its error is its problem,
        whatever `chosen` and `problem` are.

        Args:
            is_wanted: Whether the run collects the account.
            chosen: The account by the connection that the run uses; by default the first one.
            problem: The reason why no connection of the account can be used; None if there is none.
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

    An account is recognised by its AppID, also if several connections describe it. The accounts of
    a connection that are not listed are left out. An entry is unusable if its connection is, or if
    the connection has no such account (`CONFIGURATION`). An unusable connection is in the result
    once, however many entries name it.

    Args:
        entries: The entries of the list.
        found: The accounts of each connection of the entries by its id, or its error.

    Returns:
        The unusable entries first, then the accounts in the order of the list.
    """
    accounts: dict[str, dict[str, Account]] = {}
    unusable: dict[str, WeixinError] = {}
    for entry in entries:
        conn_id = connection_id(entry)
        members = found[conn_id]
        if isinstance(members, WeixinError):
            unusable[conn_id] = members
            continue
        chosen = [account for account in members if entry in (conn_id, account.conn_id)]
        if not chosen:
            error = WeixinError(ProblemKind.CONFIGURATION, account=entry, code="no_account")
            unusable[entry] = error
        for account in chosen:
            accounts.setdefault(account.appid, {})[account.conn_id] = account
    return [
        *(ListedAccount([entry], error=error) for entry, error in unusable.items()),
        *(ListedAccount([*by_id], [*by_id.values()]) for by_id in accounts.values()),
    ]


def select_accounts(
    accounts: Sequence[ListedAccount], names: Collection[str]
) -> list[ListedAccount]:
    """
    Return the accounts that a run limited to these names collects; all if there are no names.

    A name is an AppID, a connection id or an account's name. A name that no account has may belong
    to an account whose entry is unusable. Then all unusable entries are selected too.

    Raises:
        ParameterError: A name belongs to no account, and every entry is usable. The sentence gives
            the three nearest names.
    """
    unknown = set(names).difference(*(account.names for account in accounts))
    if unknown and not any(account.error for account in accounts):
        first = one_line(min(unknown), _MAX_NAME_CHARACTERS)
        known = {name for account in accounts for name in account.names}
        nearest = difflib.get_close_matches(first, known, len(known), cutoff=0)
        names_text = few_names(nearest, _MAX_SUGGESTED_NAMES)
        frame = "accounts: {variable} has no account {name}; there are {names}"
        places = {"variable": ACCOUNTS_VARIABLE, "name": first, "names": names_text}
        raise ParameterError(sentence(frame, **places))
    return [
        account
        for account in accounts
        if not names or not account.names.isdisjoint(names) or (unknown and account.error)
    ]
