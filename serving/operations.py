"""Operations of a reader, without FastAPI's general way of asking, which looks at each parameter's type each time.

Declared, documented and refused as with FastAPI; what an operation is given is settled once, when it is declared: the
request, what it depends on (an `async` function of the request), its parts of the path, its query as one model.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Request, Response, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.types import Receive, Scope, Send

Refusals = list[dict[str, Any]]
_Read = Callable[[Request, Refusals], Any]


class Operation(APIRoute):
    """A route whose function answers with a `Response` of its own."""

    def __init__(self, path: str, endpoint: Callable[..., Awaitable[Response]], **told: Any) -> None:
        super().__init__(path, endpoint, **told)
        given = _given(endpoint)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope, receive, send)
            refused: Refusals = []
            arguments = {name: read(request, refused) for name, read in given.read.items()}
            if refused:
                raise RequestValidationError(refused)
            for name, depend in given.depend.items():
                arguments[name] = await depend(request)
            response = await endpoint(**arguments)
            await response(scope, receive, send)

        self.app = answer


class _Given:
    """What a function is called with: what can be read from the request, and what must be waited for."""

    def __init__(self) -> None:
        self.read: dict[str, _Read] = {}
        self.depend: dict[str, Callable[[Request], Awaitable[Any]]] = {}


def _given(endpoint: Callable[..., Any]) -> _Given:
    given = _Given()
    for name, hint in get_type_hints(endpoint, include_extras=True).items():
        told = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        dependency = next((part.dependency for part in told if isinstance(part, params.Depends)), None)
        if name == "return":
            continue
        if hint is Request:
            given.read[name] = _whole
        elif dependency is not None:
            given.depend[name] = dependency
        elif any(isinstance(part, params.Query) for part in told):
            given.read[name] = _query(get_args(hint)[0])
        else:
            given.read[name] = _part_of_path(name, hint)
    return given


def _whole(request: Request, _refused: Refusals) -> Request:
    return request


def _part_of_path(name: str, hint: Any) -> _Read:
    validate = TypeAdapter(hint).validator.validate_python

    def read(request: Request, refused: Refusals) -> Any:
        try:
            return validate(request.path_params[name])
        except ValidationError as error:
            refused += _at(("path", name), error)

    return read


def _query(model: type[BaseModel]) -> _Read:
    validate = model.__pydantic_validator__.validate_python
    repeated = _repeated(model)

    def read(request: Request, refused: Refusals) -> Any:
        asked = request.query_params
        values: dict[str, Any] = dict(asked)
        for name in repeated:
            if name in values:
                values[name] = asked.getlist(name)
        try:
            return validate(values)
        except ValidationError as error:
            refused += _at(("query",), error)

    return read


def _repeated(model: type[BaseModel]) -> Sequence[str]:
    """The parameters that may be given several times."""
    fields = model.model_fields.items()
    return [field.alias or name for name, field in fields if get_origin(field.annotation) is tuple]


def _at(place: tuple[str, ...], error: ValidationError) -> Refusals:
    return [{**detail, "loc": (*place, *detail["loc"])} for detail in error.errors(include_url=False)]
