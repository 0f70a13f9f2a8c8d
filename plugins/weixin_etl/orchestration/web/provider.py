"""
The Airflow provider: it declares the connection type `weixin` and the settings of `[weixin]`.

Airflow reads it from the installed distribution and builds the connection form from it.
"""

from typing import Any

import weixin_etl
from weixin_etl.orchestration.settings import OPTIONS, PROVIDER


def get_provider_info() -> dict[str, Any]:
    """
    Return the provider's declaration in the form of Airflow's `provider_info.schema.json`.

    Airflow calls the function by the entry point `apache_airflow_provider`. The declaration is the
    file `provider.toml`, with the version of the package. No setting has an example: the schema
    demands the key, and TOML has no null.
    """
    section = PROVIDER["config"]["weixin"]
    options = {name: option | {"example": None} for name, option in OPTIONS.items()}
    config = {"weixin": section | {"options": options}}
    return PROVIDER | {"versions": [weixin_etl.__version__], "config": config}
