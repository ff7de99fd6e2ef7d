"""An answer that is made once and given to many: its bytes, compressed once, with an ETag and what a cache may do."""

import asyncio
import gzip
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from fastapi import Request, Response

from serving.snapshot import Snapshot

# What a cache in front may do: the picture changes each second, so one answer a second serves a crowd.
CACHE: Final = {"Cache-Control": "public, max-age=1"}
_WORTH_PACKING: Final = 1_000  # bytes: below, a packet more or less is all there is to win
_EFFORT: Final = 5  # a whole world in 17 ms; the highest takes six times as long for 2 % less


@dataclass(frozen=True, slots=True)
class Rendered:
    """The bytes of an answer, plain and packed (None where that is not worth it)."""

    plain: bytes
    packed: bytes | None
    etag: str

    @classmethod
    async def of(cls, make: Callable[[], bytes]) -> "Rendered":
        """Renders apart from the event loop: packing does not hold up those who wait for something else."""

        def render() -> Rendered:
            body = make()
            packed = gzip.compress(body, _EFFORT, mtime=0) if len(body) >= _WORTH_PACKING else None
            # Weak: the same flights, packed or not.
            return cls(body, packed, f'W/"{blake2b(body, digest_size=9).hexdigest()}"')

        return await asyncio.to_thread(render)

    def answer(self, request: Request, media_type: str, headers: Mapping[str, str]) -> Response:
        """The answer to a request: 304 where it has these bytes already, packed where it can unpack."""
        told = {**CACHE, **headers, "ETag": self.etag}
        if self.etag in _tags(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=told)
        if self.packed is not None and _unpacks(request.headers.get("accept-encoding", "")):
            return Response(self.packed, headers={**told, "Content-Encoding": "gzip"}, media_type=media_type)
        return Response(self.plain, headers=told, media_type=media_type)


async def rendered_once(snapshot: Snapshot, key: Hashable, make: Callable[[], bytes]) -> Rendered:
    """The answer of that name, rendered by whoever asks first for all who ask while the snapshot is the newest."""
    rendering = snapshot.once(key, lambda: asyncio.ensure_future(Rendered.of(make)))
    return await asyncio.shield(rendering)  # who leaves takes nobody's answer along


def _tags(if_none_match: str) -> set[str]:
    """The tags that a client has; a cache on the way may have made them strong or weak."""
    tags = (tag.strip() for tag in if_none_match.split(","))
    return {tag if tag.startswith("W/") else f"W/{tag}" for tag in tags if tag}


def _unpacks(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        name, _, quality = (piece.strip() for piece in part.partition(";"))
        if name in {"gzip", "*"}:
            return quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
