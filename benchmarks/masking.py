"""
Airflow's masking of secrets in parts, so that ten thousand connections can be measured at all.

For each new secret Airflow compiles the expression of all secrets of the process again: in the
task, in its supervisor and in the API server, which never forgets one. Of 10,000 connections that
takes hours. Not part of the product: it replaces a private class of Airflow.
"""

import copy
import re
from collections.abc import Iterable
from threading import Lock
from typing import Any

PATTERNS_AT_ONCE = 128


def mask_in_parts() -> None:
    """Let Airflow compile its secrets in parts; it masks what it masks anyway."""
    from airflow._shared.secrets_masker import SecretsMasker as OfServers
    from airflow.sdk._shared.secrets_masker import SecretsMasker as OfTasks

    for masker in (OfServers, OfTasks):
        masker.add_mask = _in_parts(masker.add_mask)  # type: ignore[method-assign]


class Parts:
    """Replaces what any of its patterns matches, as a compiled expression does."""

    def __init__(self) -> None:
        self._full: list[re.Pattern[str]] = []
        self._newest: list[str] = []
        self._compiled: re.Pattern[str] | None = None

    def add(self, patterns: Iterable[str]) -> None:
        """Compile these and the newest ones again, of which there are few."""
        self._newest += patterns
        self._compiled = re.compile("|".join(self._newest))
        if len(self._newest) >= PATTERNS_AT_ONCE:
            self._full.append(self._compiled)
            self._newest, self._compiled = [], None

    def sub(self, replacement: str, text: str) -> str:
        """The text with the replacement for each match."""
        for part in (*self._full, self._compiled):
            if part:
                text = part.sub(replacement, text)
        return text


def _in_parts(add_all: Any) -> Any:
    lock = Lock()

    def add_mask(self: Any, secret: Any, name: str | None = None) -> None:
        alone = copy.copy(self)
        alone.reset_masker()
        add_all(alone, secret, name)
        with lock:
            if new := alone.patterns - self.patterns:
                parts = self.replacer if isinstance(self.replacer, Parts) else Parts()
                # Airflow's own, of secrets from before
                parts.add(new if parts is self.replacer else new | self.patterns)
                self.patterns |= new
                self.replacer = parts

    return add_mask
