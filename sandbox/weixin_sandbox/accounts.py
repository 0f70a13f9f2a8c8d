"""Who the platform knows: accounts, and the component of a third-party platform."""

from dataclasses import dataclass, field
from enum import StrEnum


class AccountKind(StrEnum):
    """What can authorise a third-party platform; only an Official Account has articles."""

    OFFICIAL = "official"
    MINI_PROGRAM = "mini program"
    VIDEO = "video"


@dataclass(frozen=True)
class Account:
    """
    One account; `name` is what people call it.

    An account without a secret is called with the tokens of a component that it authorised.
    """

    appid: str
    secret: str = field(default="", repr=False)
    name: str = ""
    kind: AccountKind = AccountKind.OFFICIAL
    permission_sets: tuple[int, ...] = (1, 2, 3, 4, 7, 11, 15)
    """What it grants to a component: 7 are its articles, 2 its followers."""


@dataclass(frozen=True)
class Component:
    """The credentials of a third-party platform; WeChat calls it a component."""

    appid: str
    secret: str = field(repr=False)


DEFAULT_ACCOUNT = Account(
    appid="wx5a4d80c70b1e2f3a",
    secret="5a4d80c70b1e2f3a5a4d80c70b1e2f3a",  # noqa: S106 - opens nothing but this sandbox
    name="沙箱公众号",
)
DEFAULT_COMPONENT = Component(
    appid="wxc0c0c70b1e2f3a5a",
    secret="c0c0c70b1e2f3a5ac0c0c70b1e2f3a5a",  # noqa: S106 - opens nothing but this sandbox
)
