"""`flight.v1.Position` as other versions of the platform have it: made at run time, in pools of their own.

Newer: fields and a kind are added. Older: the message of the last release (`protos/released.binpb`), and one from
before its newest fields were there.
"""

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from cli.programs import ROOT
from protos.flight.v1 import position_pb2

NAME: Final = "flight.v1.Position"
NEWER_KIND: Final = 42
_OLDEST: Final = {"icao24", "time", "received_at", "latitude", "longitude", "flight_id", "altitude_ft", "callsign"}

MessageClass = Any  # of `message_factory`: a class whose attributes are the fields


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto()
    position_pb2.DESCRIPTOR.CopyToProto(file)  # type: ignore[no-untyped-call]
    return file


def _message(*files: descriptor_pb2.FileDescriptorProto) -> MessageClass:
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)  # type: ignore[no-untyped-call]
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(NAME))  # type: ignore[no-untyped-call]


def newer() -> MessageClass:
    """A version with two fields more, `selected_altitude_ft` and `remark`, and a kind more."""
    file = _file()
    (position,) = (message for message in file.message_type if message.name == "Position")
    field = descriptor_pb2.FieldDescriptorProto
    for name, kind in (("selected_altitude_ft", field.TYPE_SINT32), ("remark", field.TYPE_STRING)):
        added = position.field.add(name=name, number=100 + len(position.field), type=kind, label=field.LABEL_OPTIONAL)
        added.proto3_optional = True
        added.oneof_index = len(position.oneof_decl)
        position.oneof_decl.add(name=f"_{name}")
    (kinds,) = (enum for enum in file.enum_type if enum.name == "Kind")
    kinds.value.add(name="KIND_NEWER", number=NEWER_KIND)
    return _message(file)


def released() -> MessageClass:
    """The version of the last release."""
    files = descriptor_pb2.FileDescriptorSet.FromString((ROOT / "protos/released.binpb").read_bytes())
    return _message(*(file for file in files.file if file.name.endswith("position.proto")))


def oldest() -> MessageClass:
    """A version from before most fields were there."""
    file = _file()
    (position,) = (message for message in file.message_type if message.name == "Position")
    kept = [field for field in position.field if field.name in _OLDEST]
    for field in kept:
        field.ClearField("oneof_index")
        field.proto3_optional = False
    del position.field[:], position.oneof_decl[:]
    position.field.extend(kept)
    file.syntax = "proto2"  # explicit presence without a oneof for each field; the bytes are the same
    return _message(file)
