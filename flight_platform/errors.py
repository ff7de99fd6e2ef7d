"""The errors of the platform. An error's docstring says what happened; its fields carry the data.

FlightError
├── SettingsError          a setting is wrong or missing
├── UndecodableError       bytes that are not what their format promises
├── InvalidIdentifierError an address or flight id that is none
├── ServerUnavailableError a server that we need does not answer
├── ToolMissingError       a program that we need is not installed
├── FencedError            another process has taken over our work
└── ShardError             a live server answered with an error
"""


class FlightError(Exception):
    """Base of all errors that the platform raises on purpose."""


class SettingsError(FlightError):
    """A setting is wrong: says its name, what is wrong and an example."""


class UndecodableError(FlightError):
    """Bytes, a line or an object that are not what their format promises."""


class InvalidIdentifierError(FlightError, ValueError):
    """A text that should be an address or a flight id and is not."""


class ServerUnavailableError(FlightError):
    """A server that this process needs does not answer."""


class ToolMissingError(FlightError):
    """A program that this process needs is not installed; the message says how to install it."""


class FencedError(FlightError):
    """Another process has taken over the partitions of this one; what it holds must be dropped and read again."""


class ShardError(FlightError):
    """A live server answered a command with an error."""
