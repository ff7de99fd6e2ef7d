"""Commands and answers without a socket, with a clock in the test's hand."""

import hiredis
import pytest

from flight_platform.embedded.live_server import VERSION, LiveServer

FIELDS = ["FIELD", "alt", "37000", "FIELD", "gs", "0", "FIELD", "cs", '"0123"']


class Client:
    """Asks a server as over a socket."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.server = LiveServer(clock=lambda: self.now_s)

    def ask(self, *words: object) -> object:
        self.server.tick()
        reader = hiredis.Reader(encoding="utf-8")
        sent = [str(word).encode() for word in words]
        reader.feed(self.server.answer(sent[0].upper(), sent))
        answer = reader.gets()
        return f"error: {answer}" if isinstance(answer, hiredis.ReplyError) else answer


@pytest.fixture
def client() -> Client:
    return Client()


def test_each_set_of_an_object_leaves_the_same(client: Client) -> None:
    for number in (0, 1, 0, 0):
        assert client.ask("SET", "f", number, *FIELDS, "EX", 60, "POINT", 48.5, 2.25) == "OK"
        assert client.ask("GET", "f", number, "WITHFIELDS", "POINT") == [
            ["48.5", "2.25"],
            ["alt", "37000", "cs", "0123"],
        ]
        assert client.ask("TTL", "f", number) == 60


@pytest.mark.parametrize("word", ["x", "nan", "inf", "1e999"])
@pytest.mark.parametrize("place", [-1, -2, -4])
def test_a_set_like_the_last_one_is_still_checked(client: Client, word: str, place: int) -> None:
    words = ["SET", "f", "a", *FIELDS, "EX", "60", "POINT", "48.5", "2.25"]
    client.ask(*words)
    words[place] = word
    words[2] = "b"
    assert client.ask(*words) == f"error: ERR invalid argument '{word}'"
    assert client.ask("SCAN", "f", "COUNT") == 1


def test_a_set_as_long_as_the_last_one_may_have_other_words(client: Client) -> None:
    client.ask("SET", "f", "a", "FIELD", "alt", 1, "EX", 60, "POINT", 1, 2)
    assert client.ask("SET", "f", "b", "FIELD", "gs", 1, "EX", 60, "POINT", 1, 2) == "OK"
    assert client.ask("set", "f", "c", "ex", 60, "field", "gs", 1, "Field", "gs", 1, "point", 1, 2) == "OK"
    assert client.ask("SET", "f", "d", "FIELD", "POINT", 1, "EX", 60, "POINT", 1, 2) == "OK"
    assert client.ask("GET", "f", "c", "WITHFIELDS", "POINT") == [["1", "2"], ["gs", "1"]]
    assert client.ask("GET", "f", "d", "WITHFIELDS", "POINT") == [["1", "2"], ["POINT", "1"]]


def test_a_field_that_is_not_named_is_kept_and_a_zero_forgets_it(client: Client) -> None:
    client.ask("SET", "f", "a", "FIELD", "alt", 100, "FIELD", "gs", 5, "POINT", 1, 2)
    client.ask("SET", "f", "a", "FIELD", "gs", 6, "EX", 9, "FIELD", "trk", 7, "FIELD", "gs", 8, "POINT", 1, 2)
    assert client.ask("GET", "f", "a", "WITHFIELDS", "POINT") == [["1", "2"], ["alt", "100", "gs", "8", "trk", "7"]]
    client.ask("SET", "f", "a", "FIELD", "alt", 0, "POINT", 1, 2)
    assert client.ask("GET", "f", "a", "WITHFIELDS", "POINT") == [["1", "2"], ["gs", "8", "trk", "7"]]


@pytest.mark.parametrize("words", [("FIELD",), ("FIELD", "alt"), ("FIELD", "alt", 1), ("POINT", 1), ("EX",)])
def test_a_set_cut_short_is_refused(client: Client, words: tuple[object, ...]) -> None:
    assert client.ask("SET", "f", "a", *words) == "error: ERR wrong number of arguments for 'set' command"


@pytest.mark.parametrize("name", ["z", "lat", "lon"])
def test_names_of_places_are_no_names_of_fields(client: Client, name: str) -> None:
    assert client.ask("SET", "f", "a", "FIELD", name, 1, "POINT", 1, 2) == f"error: ERR invalid argument '{name}'"
    assert client.ask("KEYS", "*") == []


def test_objects_end_and_a_set_without_an_end_frees_them(client: Client) -> None:
    client.ask("SET", "f", "a", "EX", 10, "POINT", 1, 2)
    client.ask("SET", "f", "b", "EX", 10, "POINT", 1, 2)
    client.ask("SET", "f", "b", "POINT", 1, 2)
    assert (client.ask("TTL", "f", "a"), client.ask("TTL", "f", "b"), client.ask("TTL", "f", "c")) == (10, -1, -2)
    client.now_s += 10.5
    assert client.ask("SCAN", "f", "IDS") == [0, ["b"]]
    assert client.ask("NEARBY", "f", "IDS", "POINT", 1, 2) == [0, ["b"]]


def test_conditions_of_a_set(client: Client) -> None:
    assert client.ask("SET", "f", "a", "XX", "POINT", 1, 2) is None
    assert client.ask("KEYS", "*") == []
    assert client.ask("SET", "f", "a", "NX", "POINT", 1, 2) == "OK"
    assert client.ask("SET", "f", "a", "NX", "POINT", 3, 4) is None
    assert client.ask("GET", "f", "a", "POINT") == ["1", "2"]


def test_a_collection_is_there_while_it_holds_something(client: Client) -> None:
    client.ask("SET", "f", "a", "EX", 1, "POINT", 1, 2)
    client.ask("SET", "g", "a", "STRING", "text")
    assert client.ask("KEYS", "*") == ["f", "g"]
    client.now_s += 2
    assert client.ask("KEYS", "*") == ["g"]
    assert client.ask("DROP", "f") == 0
    assert client.ask("DEL", "g", "a") == 1
    assert client.ask("KEYS", "*") == []


def test_distance_comes_last(client: Client) -> None:
    client.ask("SET", "f", "a", "FIELD", "gs", 5, "POINT", 1, 2)
    found = client.ask("NEARBY", "f", "DISTANCE", "POINTS", "POINT", 1, 3)
    assert isinstance(found, list)
    item = found[1][0]
    assert item[:3] == ["a", ["1", "2"], ["gs", "5"]]
    assert float(item[3]) == pytest.approx(111177.99068882647)


@pytest.mark.parametrize("command", ["SETHOOK", "fset", "FOLLOW", "OUTPUT"])
def test_what_only_tile38_can_is_refused_with_a_hint(client: Client, command: str) -> None:
    answer = client.ask(command, "a", "b")
    assert str(answer).startswith(f"error: ERR unknown command '{command}'")
    assert "run tile38-server" in str(answer)


@pytest.mark.parametrize(
    "words",
    [
        ("SET", "f", "a", "OBJECT", "{}"),
        ("INTERSECTS", "f", "SECTOR", 1, 2, 3, 4, 5),
        ("NEARBY", "f", "FENCE", "POINT", 1, 2),
        ("SCAN", "f", "SPARSE", 4, "IDS"),
        ("WITHIN", "f", "GET", "f", "a"),
        ("GET", "f", "a", "HASH", 5),
    ],
)
def test_a_form_that_only_tile38_knows_is_refused_with_a_hint(client: Client, words: tuple[object, ...]) -> None:
    assert "run tile38-server" in str(client.ask(*words))


def test_it_says_what_it_is(client: Client) -> None:
    client.ask("SET", "f", "a", "POINT", 1, 2)
    client.ask("SET", "g", "a", "STRING", "text")
    parts = client.ask("SERVER")
    assert isinstance(parts, list)
    facts = dict(zip(parts[::2], parts[1::2], strict=True))
    assert facts["version"] == VERSION
    assert (facts["num_objects"], facts["num_collections"]) == ("2", "2")


def test_line_breaks_in_a_word_cannot_forge_an_answer(client: Client) -> None:
    assert str(client.ask("NO\r\n+OK")).startswith("error: ERR unknown command 'NO  +OK': ")
