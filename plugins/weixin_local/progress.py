"""What the person typing sees while a command works."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Steps:
    """One line per finished step, and on a terminal a spinner for the one at work."""

    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def step(self, doing: str) -> Iterator[None]:
        """Show the step; a step that raises leaves no line: its error says what happened."""
        began_at = time.monotonic()
        with self.console.status(escape(doing)):
            yield
        self.line("✓", doing, time.monotonic() - began_at)

    @contextmanager
    def spinner(self, doing: str) -> Iterator[Callable[[str], None]]:
        """Show what is at work until the block ends; the value changes the text."""
        with self.console.status(escape(doing)) as status:
            yield lambda text: status.update(escape(text))

    def line(self, mark: str, what: str, seconds: float | None = None) -> None:
        """Say how something ended."""
        colour = {"✓": "green", "✗": "red"}.get(mark, "yellow")
        took = "" if seconds is None else f" [dim]({seconds:.1f} s)[/dim]"
        self.console.print(
            f"[{colour}]{mark}[/{colour}] {escape(what)}{took}", highlight=False, soft_wrap=True
        )

    def say(self, text: str) -> None:
        """Say something, as it is."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
