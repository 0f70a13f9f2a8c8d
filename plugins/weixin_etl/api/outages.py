"""When to stop asking: several calls in a row that brought no usable answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from weixin_etl import rules
from weixin_etl.problem import WeixinError


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
            self.note(error if error.kind.is_outage else None)
            raise
        self.note(None)

    def note(self, outage: WeixinError | None) -> None:
        """
        Take the end of a call into account; None when it was no outage, which ends the row.

        An endpoint that is offline counts too, where the caller says so, in a row of its own.
        """
        with self._lock:
            is_alike = outage and self._last and outage.kind.is_outage == self._last.kind.is_outage
            self._in_a_row = self._in_a_row + 1 if is_alike else int(outage is not None)
            self._last = outage
