"""Who works at this terminal, for the audit."""

import getpass


def operator() -> str:
    """As the operating system names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return "unknown"
