"""When to stop asking: several calls of one kind in a row that brought no usable answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from weixin_etl import rules
from weixin_etl.api.errors import WeixinError


class Outages:
    """
    Outages in a row, of calls to one place; may be used by several threads at once.

    Each costs minutes, as long as a call is patient: thousands of them a whole morning.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._in_a_row = 0
        self._last: WeixinError | None = None
        """The newest of them."""

    @property
    def are_enough(self) -> bool:
        """Whether further calls would be in vain."""
        return self._in_a_row >= rules.REFUSALS_THAT_STOP

    @contextmanager
    def counted(self) -> Iterator[None]:
        """
        Make a call in it; it is not made when it would be in vain.

        Raises:
            WeixinError: the call's, or the last outage.

        """
        with self._lock:
            if self._last and self.are_enough:
                raise self._last.with_traceback(None)
        try:
            yield
        except WeixinError as error:
            self._note(error if error.is_outage else None)
            raise
        self._note(None)

    def _note(self, outage: WeixinError | None) -> None:
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if outage else 0
            self._last = outage
