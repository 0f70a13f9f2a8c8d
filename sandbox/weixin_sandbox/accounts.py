"""Accounts, and the third-party platform that WeChat calls a component, with their credentials."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """
    The credentials of an account or of a third-party platform.

    For an account without a secret, a platform that it authorised gets the tokens.
    """

    appid: str
    secret: str = field(default="", repr=False)
    name: str = ""
    kind_field: str = ""
    """The key by which WeChat marks a mini program or a video account; they have no articles."""


DEFAULT_ACCOUNT = Account("wx5a4d80c70b1e2f3a", "5a4d80c70b1e2f3a5a4d80c70b1e2f3a", "沙箱公众号")
DEFAULT_COMPONENT = Account("wxc0c0c70b1e2f3a5a", "c0c0c70b1e2f3a5ac0c0c70b1e2f3a5a")
