"""Files that clients take away (CSV, Parquet, GPX, KML, GeoJSON): each is in the audit before any of it is sent.

What is written down: the name of the client's key, as the edge tells it, and whether its address is one of this
machine, of a private network or of the world, never key or address themselves; the question, the format, the rows.
"""

from collections.abc import Sequence
from contextlib import aclosing
from ipaddress import ip_address
from typing import Final

from fastapi import Request

from flight_platform.history.queries import Portions
from flight_platform.history.table import Row
from serving.history_store import AHEAD, Export, History

KEY_HEADER: Final = "Flight-Key"  # set by the edge, which lets nobody else's through
_NO_KEY: Final = "-"


async def audited(request: Request, store: History, portions: Portions, form: str) -> Portions:
    """The same portions, once they are in the audit. None are no file, and leave no row there.

    Of an answer that is sent as it is read, so many rows are told as were read beforehand, and that there are more.
    """
    ahead: list[Sequence[Row]] = []
    async for rows in portions:
        ahead.append(rows)
        if len(ahead) == AHEAD:
            break
    try:
        if ahead:
            more = len(ahead) == AHEAD
            await store.record_export(
                Export(
                    operator=f"key {request.headers.get(KEY_HEADER, _NO_KEY)}, {_place(request)} address",
                    question=f"{request.method} {request.url.path}?{request.url.query}",
                    rows=sum(map(len, ahead)),
                    format=form,
                    reason="history API, sent as it was read: these rows or more" if more else "history API",
                )
            )
    except BaseException:
        await portions.aclose()
        raise
    return _all(ahead, portions)


async def _all(ahead: list[Sequence[Row]], rest: Portions) -> Portions:
    async with aclosing(rest):
        while ahead:
            yield ahead.pop(0)
        async for rows in rest:
            yield rows


def _place(request: Request) -> str:
    """Where a client is, as far as its address tells."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    return "loopback" if address.is_loopback else "private" if address.is_private else "public"
