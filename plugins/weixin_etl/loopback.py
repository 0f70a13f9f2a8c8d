"""Whether a host is this machine itself, so that the traffic does not leave it."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """`localhost`, or an address like 127.0.0.1 and ::1; a name is not looked up."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
