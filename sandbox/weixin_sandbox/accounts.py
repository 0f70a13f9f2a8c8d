"""Who the platform knows: Official Accounts, and the component of a third-party platform."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """
    One Official Account; `name` is what people call it.

    An account without a secret is called with the tokens of a component that it authorised.
    """

    appid: str
    secret: str = field(default="", repr=False)
    name: str = ""


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
