"""The stand-in for Tile38 on a machine that has none: the part of its protocol that this platform uses.

    socket ─► hiredis.Reader ─► command ─► live_query (grammar) ─► live_store (objects) ─► one write a batch

It keeps points and strings with fields and times to live in memory, and answers as Tile38 1.37.0 does; what
it cannot do, it refuses in Tile38's form of an error, with a hint. A client that does not read its answers is
not read from either. What does not belong here: persistence, fences, hooks, replication. Production runs
Tile38.
"""

import argparse
import asyncio
import hmac
import ipaddress
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from math import inf
from typing import cast

import hiredis
import uvloop

from flight_platform.embedded.geometry import MAX_ZOOM, Box
from flight_platform.embedded.live_query import (
    HINT,
    UNLIMITED,
    CommandError,
    Words,
    glob,
    invalid,
    parse_query,
)
from flight_platform.embedded.live_store import RESERVED_NAMES, Collection, Expiry, Item, Shape, Shapes, bulk

log = logging.getLogger(__name__)

VERSION = "1.37.0-stand-in"  # the Tile38 whose answers it gives
SWEEP_EVERY_S = 0.1  # Tile38 sweeps about every 0.2 s
FLUSH_BYTES = 1 << 18  # answers gathered before they are handed to the socket, and other clients get their turn
MAX_UNFINISHED_BYTES = 64 << 20  # of one command; a real one is below 2 kB
MAX_TTL_S = 1e10  # 300 years
MAX_LENGTHS = 4096  # lengths of SETs remembered

OK, NOTHING, NOUGHT, ONE, PONG = b"+OK\r\n", b"$-1\r\n", b":0\r\n", b":1\r\n", b"+PONG\r\n"
NOTHING_FOUND = b"*2\r\n:0\r\n*0\r\n"
OF_CONNECTION = frozenset((b"AUTH", b"auth", b"QUIT", b"quit"))
BEFORE_AUTH = frozenset((b"PING", b"HEALTHZ"))
HEALTHY = (
    b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
)
KNOWN_TO_TILE38 = frozenset(
    b"AOF AOFMD5 AOFSHRINK BOUNDS CHANS CLIENT CONFIG DELCHAN DELHOOK EVAL EVALSHA EXISTS EXPIRE FEXISTS FGET"
    b" FLUSHALL FOLLOW FSET GC HOOKS INFO JDEL JGET JSET MONITOR OUTPUT PDEL PDELCHAN PDELHOOK PERSIST"
    b" PSUBSCRIBE PUBLISH READONLY RENAME RENAMENX ROLE SCRIPT SEARCH SETCHAN SETHOOK STATS SUBSCRIBE TEST"
    b" TIMEOUT TYPE".split()
)
Command = Callable[[list[bytes]], bytes]


def error(text: str) -> bytes:
    """A RESP error; line breaks would break the protocol."""
    return b"-ERR %b\r\n" % text.replace("\r", " ").replace("\n", " ").encode()


class LiveServer:
    """All collections, and what each command does to them. One event loop, hence one command at a time."""

    def __init__(self, password: str = "", clock: Callable[[], float] = time.monotonic) -> None:
        self.password = password.encode()
        self.clock = clock
        self.now_s = clock()
        self.collections: dict[bytes, Collection] = {}
        self._expiry = Expiry()
        self._shapes = Shapes()
        # The shape of the last SET of so many words: the next one of that length most likely has it too.
        self._shape_of_length: dict[int, Shape] = {}
        self.commands: dict[bytes, Command] = {
            b"DEL": self.delete,
            b"DROP": self.drop,
            b"FLUSHDB": self.flush,
            b"GET": self.get,
            b"HEALTHZ": lambda _words: OK,
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
        """Take the time for the next batch of commands and delete what has ended."""
        self.now_s = self.clock()
        self._expiry.sweep(self.now_s)

    def answer(self, words: list[bytes]) -> bytes:
        """Do one command."""
        command = self.commands.get(words[0])
        if command is None:
            name = words[0].upper()
            command = self.commands.get(name)
            if command is None:
                text = f"unknown command '{words[0].decode(errors='replace')}'"
                return error(f"{text}: {HINT}" if name in KNOWN_TO_TILE38 else text)
        try:
            return command(words)
        except CommandError as refused:
            return error(str(refused))

    # SET

    def set(self, words: list[bytes]) -> bytes:
        """SET key id [FIELD name value]... [EX seconds] [NX|XX] POINT lat lon [z] | STRING text"""
        # Hot path: the very form that the live consumer sends, told by comparing two slices.
        length = len(words)
        shape = self._shape_of_length.get(length)
        if shape is None:
            return self._set_any(words)
        end = length - 5
        if (
            words[4:end:3] != shape.names
            or words[3:end:3] != shape.words
            or words[end] != b"EX"
            or words[end + 2] != b"POINT"
        ):
            return self._set_any(words)
        try:
            ttl_s = float(words[end + 1])
            collection = self.collections.get(words[1])
            if collection is None or not 0 <= ttl_s < MAX_TTL_S:
                return self._set_any(words)
            collection.put_point(
                words[2],
                float(words[-2]),
                float(words[-1]),
                None,
                shape,
                words[5:end:3],
                self.now_s + ttl_s,
            )
        except (ValueError, OverflowError):  # no number, not finite: said properly by the general form
            return self._set_any(words)
        return OK

    def _set_any(self, sent: list[bytes]) -> bytes:
        words = Words(sent)
        key, item_id = words.take(), words.take()
        fields: dict[bytes, bytes] = {}
        deadline_s, condition = inf, b""
        while (option := words.take().upper()) in (b"FIELD", b"EX", b"NX", b"XX"):
            if option == b"FIELD":
                name = words.take()
                if name in RESERVED_NAMES:
                    raise invalid(name)
                fields[name] = words.take()
            elif option == b"EX":
                deadline_s = self.now_s + min(words.number(), MAX_TTL_S)
            elif condition:
                raise invalid(option)
            else:
                condition = option
        shape, values = self._shapes.of(tuple(fields)), list(fields.values())
        if option == b"POINT":
            place = words.number(), words.number(), words.number() if words.more() else None
        elif option == b"STRING":
            text = words.take()
        else:
            raise invalid(option, hint=option in (b"BOUNDS", b"HASH", b"OBJECT"))
        if words.more():
            raise invalid(words.take())
        collection = self.collections.get(key)
        there = collection is not None and item_id in collection.items
        if condition and there != (condition == b"XX"):
            return NOTHING
        if collection is None:
            collection = self.collections[key] = Collection(self._expiry, self._shapes)
        if option == b"STRING":
            collection.put_string(item_id, text, shape, values, deadline_s)
            return OK
        collection.put_point(item_id, *place, shape, values, deadline_s)
        if len(sent) == 8 + 3 * len(values):
            if len(self._shape_of_length) >= MAX_LENGTHS:
                self._shape_of_length.clear()
            self._shape_of_length[len(sent)] = shape
        return OK

    # One object

    def _find(self, key: bytes, item_id: bytes) -> Item | None:
        collection = self.collections.get(key)
        return collection.items.get(item_id) if collection else None

    def get(self, sent: list[bytes]) -> bytes:
        """GET key id [WITHFIELDS] [OBJECT|POINT]"""
        words = Words(sent)
        item = self._find(words.take(), words.take())
        with_fields = words.peek() == b"WITHFIELDS" and bool(words.take())
        output = words.take() if words.more() else b"OBJECT"
        if output.upper() not in (b"OBJECT", b"POINT"):
            raise invalid(output, hint=output.upper() in (b"BOUNDS", b"HASH"))
        words.end()
        if item is None:
            return NOTHING
        body = item.point() if output.upper() == b"POINT" else item.object()
        if not with_fields:
            return body
        fields = item.fields()
        return b"*%d\r\n%b%b" % (2 if fields else 1, body, fields)

    def delete(self, sent: list[bytes]) -> bytes:
        """DEL key id"""
        words = Words(sent)
        key, item_id = words.take(), words.take()
        if words.more():
            raise invalid(words.take(), hint=True)
        collection = self.collections.get(key)
        if collection is None or not collection.delete(item_id):
            return NOUGHT
        self._drop_if_empty(key)
        return ONE

    def ttl(self, sent: list[bytes]) -> bytes:
        """TTL key id: whole seconds; -1 without an end, -2 without an object"""
        words = Words(sent)
        item = self._find(words.take(), words.take())
        words.end()
        if item is None:
            return b":-2\r\n"
        if item.deadline == inf:
            return b":-1\r\n"
        return b":%d\r\n" % max(0, int(item.deadline - self.now_s))

    # Collections

    def _drop_if_empty(self, key: bytes) -> None:
        if not self.collections[key].items:
            del self.collections[key]

    def drop(self, sent: list[bytes]) -> bytes:
        """DROP key"""
        words = Words(sent)
        key = words.take()
        words.end()
        found = self.collections.pop(key, None)
        return ONE if found and found.items else NOUGHT

    def flush(self, sent: list[bytes]) -> bytes:
        """FLUSHDB"""
        Words(sent).end()
        self.collections.clear()
        self._expiry = Expiry()
        return OK

    def keys(self, sent: list[bytes]) -> bytes:
        """KEYS pattern"""
        words = Words(sent)
        pattern = glob(words.take())
        words.end()
        keys = sorted(key for key, collection in self.collections.items() if collection.items)
        found = [key for key in keys if pattern.match(key.decode("latin-1"))]
        return b"*%d\r\n%b" % (len(found), b"".join(map(bulk, found)))

    # Searches

    def scan(self, sent: list[bytes]) -> bytes:
        """SCAN key [options] [COUNT|IDS|OBJECTS|POINTS]"""
        words = Words(sent)
        collection = self.collections.get(words.take())
        query = parse_query(words)
        if words.peek() in (b"BOUNDS", b"HASHES"):
            raise invalid(words.take(), hint=True)
        if words.more():
            raise invalid(words.take())
        items = collection.by_id() if collection else []
        if query.output == "COUNT" and not query.tests:
            query.limit = UNLIMITED  # Tile38 answers from its counter
        cursor, found = query.select(items[::-1] if query.descending else items)
        if query.output == "COUNT":
            return b":%d\r\n" % len(found)
        return _page(cursor, [item.reply(query.output, query.with_fields) for item in found])

    def search_area(self, sent: list[bytes]) -> bytes:
        """WITHIN|INTERSECTS key [options] [output] BOUNDS s w n e | CIRCLE lat lon m | TILE x y z | POINT lat lon"""
        words = Words(sent)
        collection = self.collections.get(words.take())
        query = parse_query(words)
        items = self._in_area(words, collection or Collection(self._expiry, self._shapes))
        cursor, found = query.select(items)
        if query.output == "COUNT":
            return b":%d\r\n" % len(found)
        return _page(cursor, [item.reply(query.output, query.with_fields) for item in found])

    def _in_area(self, words: Words, collection: Collection) -> list[Item]:
        kind = words.take()
        match kind.upper():
            case b"BOUNDS":
                box = Box(words.number(), words.number(), words.number(), words.number())
            case b"TILE":
                x, y, zoom = words.integer(0), words.integer(0), words.integer(0, MAX_ZOOM)
                box = Box.of_tile(x, y, zoom)
            case b"POINT":
                latitude, longitude = words.number(), words.number()
                box = Box(latitude, longitude, latitude, longitude)
            case b"CIRCLE":
                circle = words.number(), words.number(), words.metres()
                words.end()
                return collection.in_circle(*circle)
            case other:
                raise invalid(kind, hint=other in (b"GET", b"HASH", b"OBJECT", b"SECTOR"))
        words.end()
        return collection.in_box(box)

    def nearby(self, sent: list[bytes]) -> bytes:
        """NEARBY key [options] [output] POINT lat lon [metres]"""
        words = Words(sent)
        collection = self.collections.get(words.take())
        query = parse_query(words)
        kind = words.take()
        if kind.upper() != b"POINT":
            raise invalid(kind, hint=kind.upper() == b"ROAM")
        latitude, longitude = words.number(), words.number()
        radius_m = words.metres() if words.more() else 0.0
        words.end()
        measured = collection.nearest(latitude, longitude, radius_m) if collection else []
        cursor, found = query.select([item for _, item in measured])
        if query.output == "COUNT":
            return b":%d\r\n" % len(found)
        if not query.with_distance:
            return _page(cursor, [item.reply(query.output, query.with_fields) for item in found])
        measures = {item.id: measure for measure, item in measured}
        replies = [item.reply_with_distance(query.output, query.with_fields, measures[item.id]) for item in found]
        return _page(cursor, replies)

    # The server

    def ping(self, words: list[bytes]) -> bytes:
        """PING [text]"""
        return bulk(words[1]) if len(words) > 1 else PONG

    def server(self, sent: list[bytes]) -> bytes:
        """SERVER: what it is and what it holds, as names and values"""
        Words(sent).end()
        items = [item for collection in self.collections.values() for item in collection.items.values()]
        strings = sum(item.text is not None for item in items)
        facts = {
            "id": "embedded-live-server",
            "num_collections": sum(bool(collection.items) for collection in self.collections.values()),
            "num_objects": len(items),
            "num_points": len(items) - strings,
            "num_strings": strings,
            "pid": os.getpid(),
            "version": VERSION,
        }
        return cast(bytes, hiredis.pack_command(tuple(str(part) for fact in facts.items() for part in fact)))


def _page(cursor: int, replies: list[bytes]) -> bytes:
    if not replies and not cursor:
        return NOTHING_FOUND
    return b"*2\r\n:%d\r\n*%d\r\n%b" % (cursor, len(replies), b"".join(replies))


class Connection(asyncio.Protocol):
    """One client. Its commands are done in order; answers leave in one write a batch."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._reader = hiredis.Reader()
        self._trusted = not server.password
        self._writable = True
        self._reading = True
        self._waiting = False  # commands are left over for the loop's next turn
        self._closed = False
        self._greeted = False
        self._unfinished_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own name
        self._closed = True

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._serve()

    def data_received(self, data: bytes) -> None:
        if not self._greeted and data.startswith(b"GET /healthz"):
            self._close(HEALTHY)
            return
        self._greeted = True
        self._unfinished_bytes += len(data)
        self._reader.feed(data)
        self._serve()

    def _serve(self) -> None:
        """Do what has arrived; stop reading while answers wait to be read."""
        if self._closed or self._waiting or not self._writable:
            return
        try:
            answers, finished = self._answer_batch()
        except hiredis.ProtocolError as broken:
            self._close(error(f"Protocol error: {broken}"))
            return
        if answers:
            self._transport.write(answers)
        if self._closed:
            self._transport.close()
        elif self._unfinished_bytes > MAX_UNFINISHED_BYTES:
            self._close(error("Protocol error: the command is too long"))
        else:
            self._read_on(finished and self._writable)
            if not finished and self._writable:
                self._waiting = True
                asyncio.get_running_loop().call_soon(self._next_turn)

    def _read_on(self, wanted: bool) -> None:
        if wanted != self._reading:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def _next_turn(self) -> None:
        self._waiting = False
        self._serve()

    def _answer_batch(self) -> tuple[bytes, bool]:
        """The answers to what is complete, and whether that was all."""
        self._server.tick()
        next_command = self._reader.gets
        answer = self._server.answer
        answers: list[bytes] = []
        size = 0
        while (words := next_command()) is not False:
            self._unfinished_bytes = 0
            if type(words) is not list or not words:
                raise hiredis.ProtocolError("a command is an array of bulk strings")
            reply = answer(words) if self._trusted and words[0] not in OF_CONNECTION else self._answer_guarded(words)
            answers.append(reply)
            size += len(reply)
            if size > FLUSH_BYTES:
                return b"".join(answers), False
            if self._closed:
                break
        return b"".join(answers), True

    def _answer_guarded(self, words: list[bytes]) -> bytes:
        """What may be asked before the password is given, and what concerns the connection."""
        name = words[0].upper()
        if name == b"QUIT":
            self._closed = True
            return OK
        if name == b"AUTH" and len(words) > 1 and hmac.compare_digest(words[1], self._server.password):
            self._trusted = True
            return OK
        if name == b"AUTH":
            return error("invalid password")
        allowed = self._trusted or name in BEFORE_AUTH
        return self._server.answer(words) if allowed else error("authentication required")

    def _close(self, last_words: bytes) -> None:
        self._closed = True
        self._transport.write(last_words)
        self._transport.close()


async def serve(server: LiveServer, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stopped.set)
    connections = await loop.create_server(lambda: Connection(server), host, port, reuse_address=True)
    sweeper = asyncio.create_task(_sweep(server))
    log.info(
        "embedded live server on %s:%d, a stand-in that speaks the part of Tile38 1.37.0's protocol that"
        " this platform uses; it is not Tile38 and keeps nothing on disk",
        host,
        port,
    )
    await stopped.wait()
    sweeper.cancel()
    connections.close()


async def _sweep(server: LiveServer) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        server.tick()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m flight_platform.embedded.live_server",
        description="The embedded live server: stands in for Tile38 on a machine that has none.\n"
        "It speaks the part of Tile38's protocol that this platform uses:\n"
        "SET GET DEL DROP TTL SCAN WITHIN INTERSECTS NEARBY KEYS PING AUTH SERVER FLUSHDB QUIT.\n"
        "Nothing is kept on disk: the live consumer fills it again from Kafka.",
        epilog="example: python -m flight_platform.embedded.live_server --port 19851\n"
        "then:    redis-cli -2 -p 19851 SCAN flights COUNT",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, required=True, help="TCP port to listen on")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--requirepass", default="", metavar="PASSWORD", help="clients must AUTH with it")
    arguments = parser.parse_args()
    if not (arguments.requirepass or _is_loopback(arguments.host)):
        parser.error(f"--host {arguments.host} can be reached from other machines: give --requirepass too")
    return arguments


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main() -> str | None:
    """Run the server in the foreground; the text of what stopped it from starting, if anything did."""
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        uvloop.run(serve(LiveServer(arguments.requirepass), arguments.host, arguments.port))
    except OSError as refused:
        return f"cannot listen on {arguments.host}:{arguments.port} ({refused}): is another server running there?"
    return None


if __name__ == "__main__":
    sys.exit(main())
