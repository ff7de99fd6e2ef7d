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
    __slots__ = ("bbox", "fields", "last_event_id", "on_ground", "min_altitude_ft", "max_altitude_ft", "min_ground_speed_kt", "max_ground_speed_kt", "callsign", "source", "kind", "max_age_s")
    BBOX_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ON_GROUND_FIELD_NUMBER: _ClassVar[int]
    MIN_ALTITUDE_FT_FIELD_NUMBER: _ClassVar[int]
    MAX_ALTITUDE_FT_FIELD_NUMBER: _ClassVar[int]
    MIN_GROUND_SPEED_KT_FIELD_NUMBER: _ClassVar[int]
    MAX_GROUND_SPEED_KT_FIELD_NUMBER: _ClassVar[int]
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_S_FIELD_NUMBER: _ClassVar[int]
    bbox: Box
    fields: _containers.RepeatedScalarFieldContainer[str]
    last_event_id: str
    on_ground: bool
    min_altitude_ft: int
    max_altitude_ft: int
    min_ground_speed_kt: float
    max_ground_speed_kt: float
    callsign: str
    source: str
    kind: _position_pb2.Kind
    max_age_s: float
    def __init__(self, bbox: _Optional[_Union[Box, _Mapping]] = ..., fields: _Optional[_Iterable[str]] = ..., last_event_id: _Optional[str] = ..., on_ground: _Optional[bool] = ..., min_altitude_ft: _Optional[int] = ..., max_altitude_ft: _Optional[int] = ..., min_ground_speed_kt: _Optional[float] = ..., max_ground_speed_kt: _Optional[float] = ..., callsign: _Optional[str] = ..., source: _Optional[str] = ..., kind: _Optional[_Union[_position_pb2.Kind, str]] = ..., max_age_s: _Optional[float] = ...) -> None: ...

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
