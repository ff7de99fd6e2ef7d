"""HTTP for the sources: a GET or POST, its answer or its failure as a value. When to ask again is in `polling.py`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

TIMEOUT_S: Final = 10.0
_AGENT: Final = "flight-platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an HTTP server said; `code` is its status as text, or `timeout` or `unreachable` where it said nothing."""

    code: str
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def good(self) -> bool:
        """The server answered 200."""
        return self.code == "200"


class Http:
    """A client that keeps its connections and never raises for what the far end does."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._client: httpx.Client | None = None

    def get(self, url: str, *, params: Mapping[str, Any] | None = None, token: str | None = None) -> Answer:
        """The answer to a GET, with a bearer token where one is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._ask("GET", url, params=params, headers=headers)

    def post_form(self, url: str, form: Mapping[str, str]) -> Answer:
        """The answer to a POST of a form."""
        return self._ask("POST", url, data=form)

    def close(self) -> None:
        """Lets the connections go; the next request opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _ask(self, method: str, url: str, **what: Any) -> Answer:
        if self._client is None:
            self._client = httpx.Client(timeout=self._timeout_s, follow_redirects=True, headers={"User-Agent": _AGENT})
        try:
            response = self._client.request(method, url, **what)
        except httpx.TimeoutException:
            return Answer(code="timeout", problem=f"{url} did not answer in time")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(code="unreachable", problem=f"{url}: {error}; is the address right and the server up?")
        return Answer(
            code=str(response.status_code),
            content=response.content,
            headers=response.headers,
            problem="" if response.status_code == 200 else f"{url} answered {_explain(response)}",
        )


def _explain(response: httpx.Response) -> str:
    meanings = {
        401: "the credentials are missing or not accepted",
        403: "access is not allowed",
        404: "there is nothing at this address: is its path right?",
        429: "too many requests",
    }
    meaning = meanings.get(response.status_code, response.reason_phrase or "no reason given")
    return f"{response.status_code}: {meaning}"


def seconds(headers: Mapping[str, str], *names: str) -> float | None:
    """The first of these headers that holds a number of seconds."""
    for name in names:
        try:
            value = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= value < float("inf"):
            return value
    return None
