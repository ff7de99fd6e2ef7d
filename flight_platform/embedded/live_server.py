"""The stand-in for Tile38 on a machine that has none: the part of its protocol that this platform uses.

    socket ─► hiredis.Reader ─► command ─► live_query (grammar) ─► live_store (objects) ─► one write a batch

It keeps points and texts with fields and times to live in memory, and answers as Tile38 1.37.0 does; what it
cannot do, it refuses in Tile38's form of an error, with a hint. A client that does not read its answers is not
read from either. What does not belong here: persistence, fences, hooks, replication. Production runs Tile38.
"""

import argparse
import asyncio
import hmac
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from math import inf

import hiredis
import uvloop

from flight_platform.embedded.live_query import (
    HINT,
    RESERVED_NAMES,
    UNLIMITED,
    CommandError,
    Query,
    Words,
    glob,
    in_area,
    invalid,
    parse_query,
    unknown,
)
from flight_platform.embedded.live_store import Collection, Item, array, bulk, distance_m, nearest

log = logging.getLogger(__name__)

VERSION = "1.37.0-stand-in"  # the Tile38 whose answers it gives
WHAT_IT_IS = "a stand-in that speaks a part of Tile38's protocol; it is not Tile38 and keeps nothing on disk"
SWEEP_EVERY_S = 0.2  # as Tile38 does: for so long an object that has ended can be read
CHUNK_BYTES = 1 << 18  # read at once, and answered before other clients get their turn
MAX_UNFINISHED_BYTES = 64 << 20  # of one command; a real one is below 2 kB

OK, NOTHING, NOUGHT, ONE = b"+OK\r\n", b"$-1\r\n", b":0\r\n", b":1\r\n"


def error(text: str) -> bytes:
    """A RESP error; line breaks would break the protocol."""
    return b"-ERR %b\r\n" % text.replace("\r", " ").replace("\n", " ").encode()


class LiveServer:
    """All collections, and what each command does to them. One event loop, hence one command at a time."""

    def __init__(self, password: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.password = password.encode()
        self.clock = clock
        self.now_s = self._swept_s = clock()
        self.collections: dict[bytes, Collection] = {}  # none of them is empty
        self.commands: dict[bytes, Callable[[Words], bytes]] = {
            b"DEL": self.delete,
            b"DROP": self.drop,
            b"FLUSHDB": self.flush,
            b"GET": self.get,
            b"INTERSECTS": self.search_area,
            b"KEYS": self.keys,
            b"NEARBY": self.nearby,
            b"PING": self.ping,
            b"SCAN": self.scan,
            b"SERVER": self.server,
            b"SET": self.set,
            b"TTL": self.ttl,
            b"WITHIN": self.search_area,  # a point is within what it intersects
        }

    def tick(self) -> None:
        """Take the time for the next batch of commands; now and then delete what has ended."""
        self.now_s = self.clock()
        if self.now_s - self._swept_s < SWEEP_EVERY_S:
            return
        self._swept_s = self.now_s
        for key, collection in list(self.collections.items()):
            for item in [item for item in collection.values() if item.deadline_s <= self.now_s]:
                self._remove(key, item.id)

    def answer(self, name: bytes, words: list[bytes]) -> bytes:
        """Do one command, its name in capitals."""
        command = self.commands.get(name)
        if command is None:
            return error(f"unknown command '{words[0].decode(errors='replace')}': {HINT}")
        try:
            return command(Words(words))
        except CommandError as refused:
            return error(str(refused))

    def set(self, words: Words) -> bytes:
        """SET key id [FIELD name value]... [EX seconds] [NX|XX] POINT lat lon [z] | STRING text"""
        key, item_id = words.take(), words.take()
        names, values, deadline_s, condition = list[bytes](), list[bytes](), inf, b""
        while (kind := words.take().upper()) not in (b"POINT", b"STRING"):
            if kind == b"FIELD":
                more_names, more_values = words.fields()
                names += more_names
                values += more_values
            elif kind == b"EX":
                deadline_s = self.now_s + words.number()
            elif kind in (b"NX", b"XX") and not condition:
                condition = kind
            else:
                raise unknown(kind)
        text = words.take() if kind == b"STRING" else None
        latitude, longitude = (0.0, 0.0) if kind == b"STRING" else (words.number(), words.number())
        z = words.number() if kind == b"POINT" and words.more() else None
        if words.more():
            raise invalid(words.take())
        collection = self.collections.get(key, {})
        old = collection.get(item_id)
        if condition and (old is not None) != (condition == b"XX"):
            return NOTHING
        if old is not None and names == old.names:
            names = old.names
        else:
            names, values = _merged_fields(old, names, values)
        collection[item_id] = Item(item_id, latitude, longitude, z, text, names, values, deadline_s)
        self.collections[key] = collection
        return OK

    def get(self, words: Words) -> bytes:
        """GET key id [WITHFIELDS] [OBJECT|POINT]"""
        item = self._find(words.take(), words.take())
        with_fields = words.peek() == b"WITHFIELDS" and bool(words.take())
        output = words.take().upper() if words.more() else b"OBJECT"
        if output not in (b"OBJECT", b"POINT"):
            raise unknown(output)
        words.end()
        if item is None:
            return NOTHING
        if not with_fields:
            return item.body(output)
        fields = item.shown_fields()
        return b"*%d\r\n%b%b" % (2 if fields else 1, item.body(output), fields)

    def ttl(self, words: Words) -> bytes:
        """TTL key id: whole seconds; -1 without an end, -2 without an object"""
        item = self._find(words.take(), words.take())
        words.end()
        if item is None:
            return b":-2\r\n"
        return b":-1\r\n" if item.deadline_s == inf else b":%d\r\n" % max(0, int(item.deadline_s - self.now_s))

    def delete(self, words: Words) -> bytes:
        """DEL key id"""
        key, item_id = words.take(), words.take()
        words.end()
        if self._find(key, item_id) is None:
            return NOUGHT
        self._remove(key, item_id)
        return ONE

    def drop(self, words: Words) -> bytes:
        """DROP key"""
        key = words.take()
        words.end()
        return ONE if self.collections.pop(key, None) else NOUGHT

    def flush(self, words: Words) -> bytes:
        """FLUSHDB"""
        words.end()
        self.collections.clear()
        return OK

    def keys(self, words: Words) -> bytes:
        """KEYS pattern"""
        pattern = glob(words.take())
        words.end()
        return array(key for key in sorted(self.collections) if pattern.match(key.decode("latin-1")))

    def scan(self, words: Words) -> bytes:
        """SCAN key [options] [output]: in the order of the ids"""
        collection = self.collections.get(words.take(), {})
        query = parse_query(words)
        if words.more():
            raise unknown(words.take())
        if query.output == b"COUNT" and not query.tests:
            query.limit = UNLIMITED  # Tile38 answers from its counter
        return _page(query, [item for _, item in sorted(collection.items())])

    def search_area(self, words: Words) -> bytes:
        """WITHIN|INTERSECTS key [options] [output] BOUNDS s w n e | CIRCLE lat lon m | TILE x y z | POINT lat lon"""
        collection = self.collections.get(words.take(), {})
        query = parse_query(words)
        return _page(query, in_area(words, collection))

    def nearby(self, words: Words) -> bytes:
        """NEARBY key [options] [output] POINT lat lon [metres]: the nearest first, 0 metres for no limit"""
        collection = self.collections.get(words.take(), {})
        query = parse_query(words)
        kind = words.take()
        if kind.upper() != b"POINT":
            raise unknown(kind)
        latitude, longitude = words.number(), words.number()
        radius_m = words.number(least=0) if words.more() else 0.0
        words.end()
        found = nearest(collection, latitude, longitude, radius_m or inf)
        return _page(query, found, lambda item: distance_m(latitude, longitude, item) if query.with_distance else None)

    def ping(self, words: Words) -> bytes:
        """PING [text]"""
        return bulk(words.take()) if words.more() else b"+PONG\r\n"

    def server(self, words: Words) -> bytes:
        """SERVER: what it is and what it holds, as names and values"""
        words.end()
        counts = {"num_collections": len(self.collections), "num_objects": sum(map(len, self.collections.values()))}
        facts = {"id": "embedded-live-server", **counts, "pid": os.getpid(), "version": VERSION}
        return array(str(part) for fact in facts.items() for part in fact)

    def _find(self, key: bytes, item_id: bytes) -> Item | None:
        return self.collections.get(key, {}).get(item_id)

    def _remove(self, key: bytes, item_id: bytes) -> None:
        del self.collections[key][item_id]
        if not self.collections[key]:
            del self.collections[key]


def _merged_fields(old: Item | None, names: list[bytes], values: list[bytes]) -> tuple[list[bytes], list[bytes]]:
    """An object's fields after a SET that names some: the others are kept."""
    for name in RESERVED_NAMES.intersection(names):
        raise invalid(name)
    fields = dict(zip(old.names, old.values, strict=True)) if old else {}
    fields.update(zip(names, values, strict=True))
    return _shared(tuple(fields)), list(fields.values())


@lru_cache
def _shared(names: tuple[bytes, ...]) -> list[bytes]:
    """One list for all objects with the same names: to compare with it stays quick however many objects there are."""
    return list(names)


def _page(query: Query, items: list[Item], distance: Callable[[Item], float | None] = lambda _: None) -> bytes:
    """A search's answer: how many there are, or the next cursor and the items."""
    cursor, found = query.select(items)
    if query.output == b"COUNT":
        return b":%d\r\n" % len(found)
    replies = [item.reply(query.output, query.with_fields, distance(item)) for item in found]
    return b"*2\r\n:%d\r\n*%d\r\n%b" % (cursor, len(replies), b"".join(replies))


class Connection:
    """One client: its commands are done in order, and no more are read while it does not read the answers."""

    def __init__(self, server: LiveServer, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        self._server, self._in, self._out = server, incoming, outgoing
        self._commands = hiredis.Reader()
        self._trusted = not server.password
        self._ended = False
        self._unfinished_bytes = 0

    async def serve(self) -> None:
        """Answer until the client goes."""
        try:
            while not self._ended and (data := await self._in.read(CHUNK_BYTES)):
                self._commands.feed(data)
                self._unfinished_bytes += len(data)
                while answers := self._answer_batch():
                    self._out.write(answers)
                    await self._out.drain()
                    await asyncio.sleep(0)  # the other clients' turn
        except hiredis.ProtocolError as broken:
            self._out.write(error(f"Protocol error: {broken}"))
        except ConnectionError:
            pass  # the client went without a word
        finally:
            self._out.close()

    def _answer_batch(self) -> bytes:
        """The answers to what is complete, as many as go into one chunk."""
        self._server.tick()
        answers, size = [], 0
        while size < CHUNK_BYTES and not self._ended and (words := self._commands.gets()) is not False:
            if type(words) is not list or not words:
                raise hiredis.ProtocolError("a command is an array of bulk strings")
            answer = self._answer(words)
            answers.append(answer)
            size += len(answer)
        if answers:
            self._unfinished_bytes = 0
        elif self._unfinished_bytes > MAX_UNFINISHED_BYTES:
            raise hiredis.ProtocolError("the command is too long")
        return b"".join(answers)

    def _answer(self, words: list[bytes]) -> bytes:
        name = words[0].upper()
        if name == b"PING" or (self._trusted and name in self._server.commands):
            return self._server.answer(name, words)
        if name == b"QUIT":
            self._ended = True
            return OK
        if name == b"AUTH":
            self._trusted |= hmac.compare_digest(b"".join(words[1:2]), self._server.password)
            return OK if self._trusted else error("invalid password")
        return self._server.answer(name, words) if self._trusted else error("authentication required")


async def serve(server: LiveServer, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)
    listening = await asyncio.start_server(
        lambda *streams: Connection(server, *streams).serve(), host, port, limit=CHUNK_BYTES, reuse_address=True
    )
    log.info("embedded live server on %s:%d, %s", host, port, WHAT_IT_IS)
    await stopped.wait()
    listening.close()


def main() -> str | None:
    """Run the server in the foreground; the text of what stopped it from starting, if anything did."""
    parser = argparse.ArgumentParser(
        prog="python -m flight_platform.embedded.live_server",
        description=f"The embedded live server, {WHAT_IT_IS}; the live consumer fills it again from Kafka.",
        epilog="example: %(prog)s --port 19851, and then: redis-cli -2 -p 19851 SCAN flights COUNT",
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--requirepass", default="", metavar="PASSWORD", help="clients must AUTH with it")
    given = parser.parse_args()
    if not given.requirepass and given.host not in ("127.0.0.1", "::1", "localhost"):
        parser.error(f"--host {given.host} can be reached from other machines: give --requirepass too")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        uvloop.run(serve(LiveServer(given.requirepass), given.host, given.port))
    except OSError as refused:
        return f"cannot listen on {given.host}:{given.port} ({refused}): is another server running there?"
    return None


if __name__ == "__main__":
    sys.exit(main())
