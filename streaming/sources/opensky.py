"""The source `opensky`: the OpenSky Network's live states, within its credits. Its format is in `opensky_format.py`.

token ──► GET /states/all ──► opensky_format ──► what is new ──► Batch ──► wait as long as the credits ask
"""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr

from flight_platform.errors import SettingsError, UndecodableError
from flight_platform.names import Reason
from flight_platform.watch.heartbeats import SourceFacts
from streaming.sources import clock, fields, kinds
from streaming.sources.base import Batch, Refused, Source, exception_text
from streaming.sources.credits import Budget, cost_of
from streaming.sources.http import Answer, Http, seconds
from streaming.sources.opensky_format import decode_answer
from streaming.sources.polling import Outcome, poll_until_stopped
from streaming.sources.readsb import NewOnly, hint, http_url, unpacked
from streaming.sources.recordings import Recording, open_recording

log = structlog.get_logger()

URL: Final = "https://opensky-network.org/api/states/all"
TOKEN_URL: Final = "https://auth.opensky-network.org/auth/realms/opensky-network/protocol/openid-connect/token"  # noqa: S105
_PATH: Final = "/api/states/all"
_FIRST_PAUSE_S: Final = 5.0  # a request that fails may have cost credits
_RENEW_BEFORE_S: Final = 60.0
_DEFAULT_LIFE_S: Final = 1_800.0  # OpenSky's tokens live 30 minutes


class Token:
    """An OAuth2 token by client credentials, renewed before it expires."""

    def __init__(
        self,
        http: Http,
        url: str,
        client_id: str,
        secret: SecretStr,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._url, self._client_id, self._secret = http, url, client_id, secret
        self._monotonic = monotonic
        self._token: str | None = None
        self._expires_s = 0.0

    def get(self) -> str | Answer:
        """The token, or the answer of the server that refused it."""
        if self._token is not None and self._monotonic() < self._expires_s:
            return self._token
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "client_secret": self._secret.get_secret_value(),
        }
        answer = self._http.post_form(self._url, form)
        if not answer.good:
            advice = "; are FLIGHT_OPENSKY_CLIENT_ID and FLIGHT_OPENSKY_CLIENT_SECRET right?"
            return Answer(
                code=f"token_{answer.code}",
                headers=answer.headers,
                problem=answer.problem + (advice if answer.code in {"400", "401", "403"} else ""),
            )
        try:
            granted = fields.parse_json(answer.content)
            token = granted["access_token"]
            life_s = float(granted.get("expires_in", _DEFAULT_LIFE_S))
        except (UndecodableError, KeyError, TypeError, ValueError, AttributeError) as error:
            return Answer(
                code="token_undecodable", problem=f"{self._url} granted no token: {error!r}{hint(answer.content)}"
            )
        self._token = str(token)
        self._expires_s = self._monotonic() + max(life_s - _RENEW_BEFORE_S, life_s / 2)
        return self._token

    def forget(self) -> None:
        """The token was not accepted: the next `get` asks for a new one."""
        self._token = None


class OpenSky:
    """The live states inside a box, or of the globe, as often as the credits allow."""

    repeatable = False
    polled = True
    record_format = "opensky"

    def __init__(
        self,
        name: str,
        *,
        url: str = URL,
        bbox: kinds.BoundingBox | None = None,
        interval_s: float | None = None,
        credentials: tuple[str, SecretStr] | None = None,
        token_url: str = TOKEN_URL,
    ) -> None:
        self.name = name
        self._url, self._bbox, self._interval_s = url, bbox, interval_s
        self._http = Http()
        self._token = Token(self._http, token_url, *credentials) if credentials else None
        self._budget = Budget(
            cost=cost_of(bbox),
            account=credentials is not None,
            now_s=time.monotonic(),
            limited=(urlsplit(url).hostname or "").endswith("opensky-network.org"),
        )
        self._told = False
        self._concerns: dict[str, str] = {}
        self._new = NewOnly()

    def facts(self) -> SourceFacts:
        """It gives something at each poll, as long as there are credits and its account is good."""
        return SourceFacts(repeatable=False, period_s=self._pause_s(), concerns=self._concerns)

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """What is new at each poll, until `stop` is set."""
        try:
            yield from poll_until_stopped(
                self._poll, stop, name=self.name, interval_s=self._pause_s, first_pause_s=_FIRST_PAUSE_S
            )
        finally:
            self._http.close()

    def _pause_s(self) -> float:
        allowed_s = self._budget.interval_s(time.monotonic())
        if self._interval_s is None or self._interval_s >= allowed_s:
            return self._interval_s or allowed_s
        if self._budget.rationed:
            if not self._told:
                log.warning(
                    "interval_too_short",
                    source=self.name,
                    asked_s=self._interval_s,
                    allowed_s=round(allowed_s, 1),
                    hint="the credits do not last longer; a smaller --bbox or an account allows more polls",
                )
                self._told = True
            return allowed_s
        return self._interval_s

    def _poll(self) -> Outcome:
        answer = self._get()
        if answer.code == "401" and self._token is not None:
            self._token.forget()  # it may have been revoked: one try with a new one
            answer = self._get()
        remaining = seconds(answer.headers, "X-Rate-Limit-Remaining")
        if remaining is not None:
            self._budget.told(remaining, time.monotonic())
        asked_s = seconds(answer.headers, "X-Rate-Limit-Retry-After-Seconds", "Retry-After")
        self._concerns = concerns_of(answer, remaining, asked_s)
        if not answer.good:
            return Outcome(code=answer.code, problem=answer.problem, pause_s=asked_s, throttled=answer.code == "429")
        try:
            batch = decode_content(answer.content, self.name)
        except UndecodableError as error:
            return Outcome(code="undecodable", problem=f"{error}{hint(answer.content)}")
        return Outcome(code="200", batch=self._new.of(inside(batch, self._bbox)))

    def _get(self) -> Answer:
        token = self._token.get() if self._token is not None else None
        if isinstance(token, Answer):
            return token
        return self._http.get(self._url, params=_parameters(self._bbox), token=token)


def concerns_of(answer: Answer, credits_left: float | None, pause_s: float | None) -> dict[str, str]:
    """What a person has to see to: a refused account, spent credits. Pure."""
    if answer.code.removeprefix("token_") in {"400", "401", "403"}:
        return {"credentials": f"the account is refused: {answer.problem}"}
    if answer.code == "429" or (credits_left is not None and credits_left <= 0):
        when = f"; new ones come in {pause_s / 3600:.1f} h" if pause_s else ""
        return {"credits": f"the credits of the account are spent{when}"}
    return {}


class OpenSkyFile:
    """Recorded states, packed or not: an answer of `/states/all`, lines of answers, or historical state vectors."""

    repeatable = True
    record_format = "opensky"

    def __init__(self, name: str, file: Path, bbox: kinds.BoundingBox | None = None) -> None:
        self.name = name
        self._file, self._bbox = file, bbox

    def batches(self, stop: threading.Event) -> Iterator[Batch]:
        """The reports of the file; the whole file as a refusal where it does not decode."""
        content = self._file.read_bytes()
        try:
            yield inside(decode_content(content, self.name), self._bbox)
        except UndecodableError as error:
            recording = self._recording()
            if recording is None:
                yield self._refused(content, error)
                return
            for batch in recording.batches():
                if stop.is_set():
                    return
                yield inside(batch, self._bbox)

    def _recording(self) -> Recording | None:
        """The file as more than one answer; None where it is nothing of OpenSky's."""
        try:
            recording = open_recording(self._file, name=self.name)
        except SettingsError:
            return None
        return recording if "OpenSky" in recording.format else None

    def _refused(self, content: bytes, error: UndecodableError) -> Batch:
        problem = f"{error}{hint(content)}"
        log.warning("file_undecodable", source=self.name, file=str(self._file), problem=problem)
        refused = Refused(original=content, reason=Reason.UNDECODABLE, detail=problem, exception=exception_text(error))
        return Batch(refused=[refused])


def decode_content(content: bytes, name: str) -> Batch:
    """The reports in the bytes of an answer, packed or not; raises UndecodableError."""
    return decode_answer(fields.parse_json(unpacked(content)), source=name, received_at=clock.now_ms())


def inside(batch: Batch, bbox: kinds.BoundingBox | None) -> Batch:
    """The batch without what is outside a box: a file, or a server without boxes, holds more than was asked for."""
    if bbox is None:
        return batch
    west, south, east, north = bbox
    kept = [
        i
        for i, p in enumerate(batch.positions)
        # What is no place at all is kept: it is not the box's to drop, but the feed's to refuse.
        if (west <= p.longitude <= east and south <= p.latitude <= north)
        or not (abs(p.longitude) <= 180 and abs(p.latitude) <= 90)
    ]
    return Batch(
        positions=[batch.positions[i] for i in kept],
        originals=[batch.originals[i] for i in kept],
        refused=batch.refused,
        clock_ms=batch.clock_ms,
    )


def _parameters(bbox: kinds.BoundingBox | None) -> dict[str, float]:
    if bbox is None:
        return {}
    west, south, east, north = bbox
    return {"lamin": south, "lomin": west, "lamax": north, "lomax": east}


def _open(request: kinds.Request) -> Source:
    bbox = kinds.bounding_box(request.option("bbox"))
    interval_s = kinds.positive(request.option("interval"), "interval", "90")
    if request.file is not None:
        if interval_s is not None:
            raise SettingsError("--interval does not go with --file: a recorded answer is read once. Leave it out")
        return OpenSkyFile(request.name, kinds.readable(request.file), bbox)
    client, secret = request.settings.opensky_client_id, request.settings.opensky_client_secret
    if (client is None) != (secret is None):
        raise SettingsError(
            "FLIGHT_OPENSKY_CLIENT_ID and FLIGHT_OPENSKY_CLIENT_SECRET belong together: set both or neither. "
            "Example: FLIGHT_OPENSKY_CLIENT_ID=me-api-client FLIGHT_OPENSKY_CLIENT_SECRET=..."
        )
    return OpenSky(
        request.name,
        url=http_url(request.url or URL, _PATH),
        bbox=bbox,
        interval_s=interval_s,
        credentials=(client, secret) if client and secret else None,
        token_url=http_url(request.option("token_url") or TOKEN_URL, "/token"),
    )


KIND: Final = kinds.SourceKind(
    open=_open,
    summary="the OpenSky Network's live states, of a box or of the globe",
    brings="both altitudes, on ground, speed, track, vertical rate, callsign, squawk, kind",
    rate="as the credits allow: 400 a day without an account, 4,000 with one; a poll costs 1 to 4 by the box's area",
    licence="OpenSky's terms: research and non-commercial use, cite the network",
    example="flight feed opensky --bbox 5.9,45.8,10.5,47.8",
    options=frozenset({"bbox", "interval", "token_url"}),
    url_example=URL,
    file_example="states.json.gz",
    default_url=URL,
)
