"""What is looked at before anything starts: tools and ports. Each failure is one sentence with the remedy."""

import socket
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.programs import Program
from flight_platform.errors import FlightError, ToolMissingError

if TYPE_CHECKING:
    from flight_platform.settings import Settings


class PortTakenError(FlightError):
    """A port that one of our programs needs is taken by another program."""


def check_ports(programs: Iterable[Program]) -> None:
    """Raises PortTakenError where somebody listens already; a program that may take any port is not asked."""
    listed = [(port, program.name, setting) for program in programs for port, setting in program.ports]
    count = Counter(port for port, _, _ in listed)
    twice = ", ".join(f"{name}: {port}" for port, name, _ in listed if count[port] > 1)
    if twice:
        raise PortTakenError(f"two programs have one port ({twice}): give each its own in the settings")
    taken = [one for one in listed if is_taken(one[0])]
    if taken:
        what = ", ".join(f"{port} ({name})" for port, name, _ in taken)
        settings = " and ".join(sorted({setting for _, _, setting in taken}))
        many = len(taken) > 1
        raise PortTakenError(
            f"{'ports' if many else 'port'} {what} {'are' if many else 'is'} taken by another program: stop it "
            f"(`ss -ltnp` names it), or choose other ports with {settings}"
        )


def is_taken(port: int) -> bool:
    """Whether a port of the loopback cannot be listened on."""
    with socket.socket() as probe:
        # As servers do: connections of a server that has just stopped are no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def check_tools(settings: "Settings") -> None:
    """Raises ToolMissingError where a program that the embedded servers need is not installed."""
    from cli.doctor import tools

    missing = [finding for finding in tools(settings) if finding.needed and not finding.ok]
    if missing:
        raise ToolMissingError("; ".join(f"{f.name} is missing or too old: {f.remedy}" for f in missing))
