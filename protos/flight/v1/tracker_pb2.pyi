from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TrackerState(_message.Message):
    __slots__ = ("flights", "held", "next_offset")
    FLIGHTS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    flights: _containers.RepeatedCompositeFieldContainer[TrackedFlight]
    held: _containers.RepeatedCompositeFieldContainer[HeldReport]
    next_offset: int
    def __init__(self, flights: _Optional[_Iterable[_Union[TrackedFlight, _Mapping]]] = ..., held: _Optional[_Iterable[_Union[HeldReport, _Mapping]]] = ..., next_offset: _Optional[int] = ...) -> None: ...

class TrackedFlight(_message.Message):
    __slots__ = ("flight_id", "first_time", "time", "latitude", "longitude", "altitude_ft", "ground_speed_kt", "on_ground", "callsign", "flown", "ground_since", "reports")
    FLIGHT_ID_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    ALTITUDE_FT_FIELD_NUMBER: _ClassVar[int]
    GROUND_SPEED_KT_FIELD_NUMBER: _ClassVar[int]
    ON_GROUND_FIELD_NUMBER: _ClassVar[int]
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    FLOWN_FIELD_NUMBER: _ClassVar[int]
    GROUND_SINCE_FIELD_NUMBER: _ClassVar[int]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    flight_id: int
    first_time: int
    time: int
    latitude: float
    longitude: float
    altitude_ft: int
    ground_speed_kt: float
    on_ground: bool
    callsign: str
    flown: bool
    ground_since: int
    reports: int
    def __init__(self, flight_id: _Optional[int] = ..., first_time: _Optional[int] = ..., time: _Optional[int] = ..., latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., altitude_ft: _Optional[int] = ..., ground_speed_kt: _Optional[float] = ..., on_ground: _Optional[bool] = ..., callsign: _Optional[str] = ..., flown: _Optional[bool] = ..., ground_since: _Optional[int] = ..., reports: _Optional[int] = ...) -> None: ...

class HeldReport(_message.Message):
    __slots__ = ("report", "offset", "appended_at", "partition")
    REPORT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    APPENDED_AT_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    report: bytes
    offset: int
    appended_at: int
    partition: int
    def __init__(self, report: _Optional[bytes] = ..., offset: _Optional[int] = ..., appended_at: _Optional[int] = ..., partition: _Optional[int] = ...) -> None: ...
