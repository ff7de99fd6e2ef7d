from protos.flight.v1 import position_pb2 as _position_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LiveList(_message.Message):
    __slots__ = ("flights", "time", "watermark", "partial", "missing", "truncated", "next", "distance_nm")
    FLIGHTS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    NEXT_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_NM_FIELD_NUMBER: _ClassVar[int]
    flights: _containers.RepeatedCompositeFieldContainer[_position_pb2.Position]
    time: int
    watermark: int
    partial: bool
    missing: _containers.RepeatedScalarFieldContainer[str]
    truncated: bool
    next: str
    distance_nm: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, flights: _Optional[_Iterable[_Union[_position_pb2.Position, _Mapping]]] = ..., time: _Optional[int] = ..., watermark: _Optional[int] = ..., partial: _Optional[bool] = ..., missing: _Optional[_Iterable[str]] = ..., truncated: _Optional[bool] = ..., next: _Optional[str] = ..., distance_nm: _Optional[_Iterable[float]] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("west", "south", "east", "north")
    WEST_FIELD_NUMBER: _ClassVar[int]
    SOUTH_FIELD_NUMBER: _ClassVar[int]
    EAST_FIELD_NUMBER: _ClassVar[int]
    NORTH_FIELD_NUMBER: _ClassVar[int]
    west: float
    south: float
    east: float
    north: float
    def __init__(self, west: _Optional[float] = ..., south: _Optional[float] = ..., east: _Optional[float] = ..., north: _Optional[float] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("bbox", "fields", "last_event_id")
    BBOX_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    bbox: Box
    fields: _containers.RepeatedScalarFieldContainer[str]
    last_event_id: str
    def __init__(self, bbox: _Optional[_Union[Box, _Mapping]] = ..., fields: _Optional[_Iterable[str]] = ..., last_event_id: _Optional[str] = ...) -> None: ...

class WatchUpdate(_message.Message):
    __slots__ = ("id", "reset", "enter", "move", "leave", "time", "watermark", "partial", "missing")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    ENTER_FIELD_NUMBER: _ClassVar[int]
    MOVE_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    MISSING_FIELD_NUMBER: _ClassVar[int]
    id: str
    reset: bool
    enter: _containers.RepeatedCompositeFieldContainer[_position_pb2.Position]
    move: _containers.RepeatedCompositeFieldContainer[_position_pb2.Position]
    leave: _containers.RepeatedScalarFieldContainer[int]
    time: int
    watermark: int
    partial: bool
    missing: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, id: _Optional[str] = ..., reset: _Optional[bool] = ..., enter: _Optional[_Iterable[_Union[_position_pb2.Position, _Mapping]]] = ..., move: _Optional[_Iterable[_Union[_position_pb2.Position, _Mapping]]] = ..., leave: _Optional[_Iterable[int]] = ..., time: _Optional[int] = ..., watermark: _Optional[int] = ..., partial: _Optional[bool] = ..., missing: _Optional[_Iterable[str]] = ...) -> None: ...
