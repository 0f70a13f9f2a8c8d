"""An Official Account and what is needed to speak for it."""

from dataclasses import dataclass, field

DEFAULT_BASE_URL = "https://api.weixin.qq.com"


@dataclass(frozen=True, slots=True)
class Account:
    """One Official Account, as its Airflow connection describes it."""

    conn_id: str
    appid: str
    secret: str = field(repr=False)
    name: str
    base_url: str = DEFAULT_BASE_URL

    def __str__(self) -> str:
        """What people call it, and which one it is."""
        return self.name if self.name == self.appid else f"{self.name} ({self.appid})"
