"""The list of accounts: what its entries say, and which accounts they stand for."""

import difflib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from weixin_etl.accounts.platform import Discovery
from weixin_etl.model import Account, ConfiguredAccount, ParameterError, connection_of
from weixin_etl.problem import Problem, ProblemKind, WeixinError
from weixin_etl.text import one_line

ACCOUNTS_VARIABLE = "weixin_accounts"
_LEAVES_OUT = "-"
_NAMES_IN_SENTENCE = 3
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class AccountList:
    """The Airflow Variable `weixin_accounts`, taken apart."""

    entries: list[str]
    """Connections, and accounts of platforms: `<conn_id>/<appid>`."""
    left_out: frozenset[str] = frozenset()
    """Accounts of platforms that are not collected: its entries that begin with a minus."""

    @classmethod
    def read(cls, text: str) -> "AccountList":
        """
        Take the Variable's text apart.

        Raises:
            ParameterError: it is no JSON list of connection ids, or names no account.
        """
        try:
            written: list[str] | None = msgspec.json.decode(text, type=list[str])
        except msgspec.MsgspecError:
            written = None
        left_out = frozenset(
            it.removeprefix(_LEAVES_OUT) for it in written or () if it.startswith(_LEAVES_OUT)
        )
        if wrong := [it for it in left_out if connection_of(it) == it]:
            raise ParameterError(
                f"the Airflow Variable {ACCOUNTS_VARIABLE}: {_LEAVES_OUT}{min(wrong)} is no "
                f"account of a platform; write {_LEAVES_OUT}<connection id>/<appid>, or leave it "
                "away"
            )
        entries = [
            it
            for it in dict.fromkeys(written or ())
            if not it.startswith(_LEAVES_OUT) and it not in left_out
        ]
        if not entries:
            why = "is not a JSON list of connection ids" if written is None else "names no account"
            raise ParameterError(
                f"the Airflow Variable {ACCOUNTS_VARIABLE} {why}; "
                f"write it like {json.dumps(['weixin_default'])}"
            )
        return cls(entries, left_out)


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account that the list names, or an entry that stands for none."""

    conn_ids: Sequence[str]
    """The connection ids under which the list names it."""
    described: Sequence[Account] = ()
    """The account as each of these connections describes it; none if it can't be asked."""
    error: WeixinError | None = None
    """Why it can't be asked; or, of a platform, why it may have further accounts."""
    may_have_more: bool = False
    """Whether it is a platform that may have further accounts."""

    @property
    def problem(self) -> Problem | None:
        """The error as the problem of the entry."""
        return self.error.of_connection(self.conn_ids[0]) if self.error else None

    @property
    def names(self) -> set[str]:
        """What the form may call it: a platform's connection means all its accounts."""
        called = {name for it in self.described for name in (it.appid, it.name)}
        return called.union(*map(_names, self.conn_ids))

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
        problem = problem or self.problem
        if not self.described:
            conn_id = self.conn_ids[0]
            return ConfiguredAccount(conn_id, None, conn_id, is_wanted, problem)
        it = chosen or self.described[0]
        return ConfiguredAccount(it.conn_id, it.appid, it.name, is_wanted, problem)


@dataclass(frozen=True, slots=True)
class Listed:
    """What the list stands for."""

    accounts: list[ListedAccount]
    withdrawn: Mapping[str, Problem | None] = field(default_factory=dict)
    """Accounts that no longer authorise their platform, by entry; None if that is no news."""

    def is_wanted(self, account: ListedAccount, wanted: Collection[str]) -> bool:
        """
        Whether a run that is limited to these names collects it; without names it does.

        A platform that may have further accounts may have those that nobody knows yet.
        """
        if not wanted or not account.names.isdisjoint(wanted):
            return True
        return any(_may_be_of(name, account) for name in self._unknown(wanted))

    def _unknown(self, wanted: Collection[str]) -> set[str]:
        """Names that are not those of any account or platform."""
        names = (it.names for it in self.accounts)
        return set(wanted).difference(*names, *map(_names, self.withdrawn))

    def require(self, wanted: Collection[str]) -> None:
        """
        Make sure that every name a run is limited to is that of an account, as far as is known.

        Raises:
            ParameterError: one is not, or its account has withdrawn.
        """
        open_ended = [it for it in self.accounts if it.may_have_more]
        unknown = {
            name
            for name in self._unknown(wanted)
            if not any(_may_be_of(name, it) for it in open_ended)
        }
        if unknown:
            first = one_line(min(unknown), _LONGEST_NAME)
            names = {str(it): it.names for it in self.accounts}
            raise ParameterError(
                f"accounts: {ACCOUNTS_VARIABLE} has no account {first}; there are "
                f"{', '.join(nearest_first(first, names))}"
            )
        collected = set().union(*(it.names for it in self.accounts))
        for entry in self.withdrawn:
            platform = connection_of(entry)
            if named := (_names(entry) - {platform} - collected).intersection(wanted):
                raise ParameterError(
                    f"accounts: {min(named)} no longer authorises {platform}; "
                    "have it authorised again, or leave it out"
                )


def accounts_of(
    listed: AccountList,
    found: Mapping[str, Account | Discovery | WeixinError],
    if_none: str,
) -> Listed:
    """
    The accounts that the list stands for, each once, however many connections describe it.

    Args:
        listed: the list.
        found: of each connection the account that it describes, what its platform's accounts are,
            or why it can't be used.
        if_none: what to do about a platform without any account.
    """
    accounts: dict[str, list[Account]] = {}
    unusable: dict[str, WeixinError] = {}
    withdrawn: dict[str, Problem | None] = {}
    with_more: set[str] = set()
    for entry in listed.entries:
        conn_id = connection_of(entry)
        appid = entry.removeprefix(f"{conn_id}/") if entry != conn_id else None
        it = found[conn_id]
        if appid and isinstance(it, Account):
            it = no_platform(it)
        if isinstance(it, WeixinError):
            unusable[conn_id] = it
            with_more |= {conn_id} if appid else set()
            continue
        if isinstance(it, Account):
            it = Discovery([it])
        elif error := _why_none(entry, appid, it, listed.left_out, if_none):
            unusable[entry] = error
        if it.problem:
            unusable[conn_id] = it.problem
            with_more.add(conn_id)
        for account in it.accounts:
            if appid in (None, account.appid) and account.conn_id not in listed.left_out:
                described = accounts.setdefault(account.appid, [])
                if account not in described:
                    described.append(account)
        withdrawn |= {
            f"{conn_id}/{gone}": problem
            for gone, problem in it.withdrawn.items()
            if appid in (None, gone) and f"{conn_id}/{gone}" not in listed.left_out
        }
    return Listed(
        [
            *(
                ListedAccount([entry], error=error, may_have_more=entry in with_more)
                for entry, error in unusable.items()
            ),
            *(ListedAccount([it.conn_id for it in those], those) for those in accounts.values()),
        ],
        withdrawn,
    )


def _why_none(
    entry: str, appid: str | None, found: Discovery, left_out: Collection[str], if_none: str
) -> WeixinError | None:
    """Why a platform's entry stands for no account; None if it does, or may do so."""
    conn_id = connection_of(entry)
    if appid and appid in found.others:
        return WeixinError(
            ProblemKind.CONFIGURATION,
            account=entry,
            cause="it is no Official Account",
            cure=f"take it out of {ACCOUNTS_VARIABLE}",
        )
    its = {f"{conn_id}/{it.appid}" for it in found.accounts}
    known = its.union(f"{conn_id}/{it}" for it in found.withdrawn).difference(left_out)
    if found.problem or (entry in known if appid else known):
        return None
    if appid:
        return WeixinError(
            ProblemKind.CONFIGURATION,
            account=entry,
            cause=f"it does not authorise {conn_id}",
            cure=f"have it authorised, or take it out of {ACCOUNTS_VARIABLE}",
        )
    if its:
        return WeixinError(
            ProblemKind.CONFIGURATION,
            account=entry,
            cause="all of its accounts are left out",
            cure=f"leave fewer out in {ACCOUNTS_VARIABLE}",
        )
    return WeixinError(
        ProblemKind.CONFIGURATION,
        account=entry,
        cause="no Official Account is known to authorise this platform",
        cure=if_none,
    )


def no_platform(account: Account) -> WeixinError:
    """A connection is named as a platform, and is none."""
    return WeixinError(
        ProblemKind.CONFIGURATION,
        account=account.conn_id,
        cause="it is no third-party platform, so it has no accounts",
        cure=f"set mode to platform in the extra of the connection {account.airflow_connection}, "
        f"or correct {ACCOUNTS_VARIABLE}",
    )


def nearest_first(wanted: str, names: Mapping[str, Iterable[str]]) -> list[str]:
    """The texts whose names are most like the wanted one, and how many more there are."""

    def likeness(text: str) -> float:
        return max(
            difflib.SequenceMatcher(None, wanted.lower(), name.lower()).ratio()
            for name in names[text]
        )

    ranked = sorted(names, key=lambda text: (-likeness(text), text))
    more = len(ranked) - _NAMES_IN_SENTENCE
    return ranked[:_NAMES_IN_SENTENCE] + ([f"{more} more"] if more > 0 else [])


def _names(entry: str) -> set[str]:
    """What the form may call an entry."""
    conn_id = connection_of(entry)
    return {entry, conn_id, entry.removeprefix(f"{conn_id}/")}


def _may_be_of(name: str, listed: ListedAccount) -> bool:
    """Whether a name may be that of a further account of a platform."""
    return listed.may_have_more and (
        name.startswith("wx") or connection_of(name) == listed.conn_ids[0]
    )
