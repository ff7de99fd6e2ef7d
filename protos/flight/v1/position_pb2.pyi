from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_ADSB: _ClassVar[Kind]
    KIND_MLAT: _ClassVar[Kind]
    KIND_TISB: _ClassVar[Kind]
    KIND_ADSR: _ClassVar[Kind]
    KIND_ADSC: _ClassVar[Kind]
    KIND_MODE_S: _ClassVar[Kind]
    KIND_FLARM: _ClassVar[Kind]
    KIND_ASTERIX: _ClassVar[Kind]
    KIND_OTHER: _ClassVar[Kind]

class Emergency(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMERGENCY_UNSPECIFIED: _ClassVar[Emergency]
    EMERGENCY_NONE: _ClassVar[Emergency]
    EMERGENCY_GENERAL: _ClassVar[Emergency]
    EMERGENCY_MEDICAL: _ClassVar[Emergency]
    EMERGENCY_MINIMUM_FUEL: _ClassVar[Emergency]
    EMERGENCY_NO_RADIO: _ClassVar[Emergency]
    EMERGENCY_UNLAWFUL: _ClassVar[Emergency]
    EMERGENCY_DOWNED: _ClassVar[Emergency]
    EMERGENCY_RESERVED: _ClassVar[Emergency]
KIND_UNSPECIFIED: Kind
KIND_ADSB: Kind
KIND_MLAT: Kind
KIND_TISB: Kind
KIND_ADSR: Kind
KIND_ADSC: Kind
KIND_MODE_S: Kind
KIND_FLARM: Kind
KIND_ASTERIX: Kind
KIND_OTHER: Kind
EMERGENCY_UNSPECIFIED: Emergency
EMERGENCY_NONE: Emergency
EMERGENCY_GENERAL: Emergency
EMERGENCY_MEDICAL: Emergency
EMERGENCY_MINIMUM_FUEL: Emergency
EMERGENCY_NO_RADIO: Emergency
EMERGENCY_UNLAWFUL: Emergency
EMERGENCY_DOWNED: Emergency
EMERGENCY_RESERVED: Emergency

class Position(_message.Message):
    __slots__ = ("flight_id", "icao24", "time", "received_at", "latitude", "longitude", "altitude_ft", "geometric_altitude_ft", "on_ground", "ground_speed_kt", "track_deg", "vertical_rate_fpm", "callsign", "squawk", "emergency", "kind", "source")
    FLIGHT_ID_FIELD_NUMBER: _ClassVar[int]
    ICAO24_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    LATITUDE_FIELD_NUMBER: _ClassVar[int]
    LONGITUDE_FIELD_NUMBER: _ClassVar[int]
    ALTITUDE_FT_FIELD_NUMBER: _ClassVar[int]
    GEOMETRIC_ALTITUDE_FT_FIELD_NUMBER: _ClassVar[int]
    ON_GROUND_FIELD_NUMBER: _ClassVar[int]
    GROUND_SPEED_KT_FIELD_NUMBER: _ClassVar[int]
    TRACK_DEG_FIELD_NUMBER: _ClassVar[int]
    VERTICAL_RATE_FPM_FIELD_NUMBER: _ClassVar[int]
    CALLSIGN_FIELD_NUMBER: _ClassVar[int]
    SQUAWK_FIELD_NUMBER: _ClassVar[int]
    EMERGENCY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    flight_id: int
    icao24: str
    time: int
    received_at: int
    latitude: float
    longitude: float
    altitude_ft: int
    geometric_altitude_ft: int
    on_ground: bool
    ground_speed_kt: float
    track_deg: float
    vertical_rate_fpm: int
    callsign: str
    squawk: str
    emergency: Emergency
    kind: Kind
    source: str
    def __init__(self, flight_id: _Optional[int] = ..., icao24: _Optional[str] = ..., time: _Optional[int] = ..., received_at: _Optional[int] = ..., latitude: _Optional[float] = ..., longitude: _Optional[float] = ..., altitude_ft: _Optional[int] = ..., geometric_altitude_ft: _Optional[int] = ..., on_ground: _Optional[bool] = ..., ground_speed_kt: _Optional[float] = ..., track_deg: _Optional[float] = ..., vertical_rate_fpm: _Optional[int] = ..., callsign: _Optional[str] = ..., squawk: _Optional[str] = ..., emergency: _Optional[_Union[Emergency, str]] = ..., kind: _Optional[_Union[Kind, str]] = ..., source: _Optional[str] = ...) -> None: ...
