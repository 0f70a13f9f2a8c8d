"""Who is known to WeChat: accounts, and a third-party platform, which WeChat calls a component."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """An account; one without a secret is called with the tokens of a platform it authorised."""

    appid: str
    secret: str = field(default="", repr=False)
    name: str = ""
    is_mini_program: bool = False
    """Which can authorise a platform as well, and has no articles."""
    permission_sets: tuple[int, ...] = (1, 2, 3, 4, 7, 11, 15)
    """What it grants to a platform: 7 are its articles, 2 its followers."""


@dataclass(frozen=True)
class Component:
    """The credentials of a third-party platform."""

    appid: str
    secret: str = field(repr=False)


DEFAULT_ACCOUNT = Account(
    "wx5a4d80c70b1e2f3a", "5a4d80c70b1e2f3a5a4d80c70b1e2f3a", name="沙箱公众号"
)
DEFAULT_COMPONENT = Component("wxc0c0c70b1e2f3a5a", "c0c0c70b1e2f3a5ac0c0c70b1e2f3a5a")
