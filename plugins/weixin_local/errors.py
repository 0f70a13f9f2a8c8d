"""The one error of the local stack."""


class LocalError(Exception):
    """What is wrong on this machine and what to do about it, as one sentence to print."""
