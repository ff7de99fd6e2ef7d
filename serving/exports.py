"""A track as a file for other programs: GPX, KML, CSV, Parquet. JSON and GeoJSON are `history_answers.py`'s.

GPX and KML know one height in metres above the sea: the barometric altitude is written, since every report of ADS-B has
it, and the geometric one (above the ellipsoid, 45 m off the sea level in places) only where it is alone.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
from gpxpy import gpx
from pyarrow import parquet

from flight_platform.codec import iso_time, unix_ms

Row = Mapping[str, Any]

FOOT_M: Final = 0.3048
_TIME: Final = pa.timestamp("ms", tz="UTC")
COLUMNS: Final[dict[str, pa.DataType]] = {  # names and order of a position report, as everywhere
    "flight_id": pa.string(),
    "icao24": pa.string(),
    "time": _TIME,
    "received_at": _TIME,
    "latitude": pa.float64(),
    "longitude": pa.float64(),
    "altitude_ft": pa.int32(),
    "geometric_altitude_ft": pa.int32(),
    "on_ground": pa.bool_(),
    "ground_speed_kt": pa.float64(),
    "track_deg": pa.float64(),
    "vertical_rate_fpm": pa.int32(),
    "callsign": pa.string(),
    "squawk": pa.string(),
    "emergency": pa.string(),
    "kind": pa.string(),
    "source": pa.string(),
}


def height_m(row: Row) -> float | None:
    """The height of a report, metres; None where none is known."""
    feet = row["altitude_ft"] if row["altitude_ft"] is not None else row["geometric_altitude_ft"]
    return None if feet is None else round(feet * FOOT_M, 1)


def name_of(flight_id: str, rows: Sequence[Row]) -> str:
    """What people call the flight: the last callsign that it told, else its id."""
    return next((row["callsign"] for row in reversed(rows) if row["callsign"]), flight_id)


def track_gpx(flight_id: str, rows: Sequence[Row]) -> bytes:
    """One track of one segment (GPX 1.1)."""
    document = gpx.GPX()
    document.creator = "flight-platform"
    track = gpx.GPXTrack(name=name_of(flight_id, rows), description=flight_id)
    points = [
        gpx.GPXTrackPoint(row["latitude"], row["longitude"], elevation=height_m(row), time=row["time"]) for row in rows
    ]
    track.segments.append(gpx.GPXTrackSegment(points))
    document.tracks.append(track)
    return bytes(document.to_xml().encode())


def track_kml(flight_id: str, rows: Sequence[Row]) -> bytes:
    """One `gx:Track`, which Google Earth plays by its times; a point without height lies on the ground."""
    import simplekml  # late: half a second, and few ask for it

    document = simplekml.Kml(name=flight_id)
    track = document.newgxtrack(name=name_of(flight_id, rows), altitudemode=simplekml.AltitudeMode.absolute)
    track.newwhen([iso_time(unix_ms(row["time"])) for row in rows])
    track.newgxcoord([(row["longitude"], row["latitude"], height_m(row) or 0.0) for row in rows])
    return bytes(document.kml().encode())


def track_csv(_flight_id: str, rows: Sequence[Row]) -> bytes:
    """A line a report below a line of names; unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_plain(row[name]) for name in COLUMNS])
    return text.getvalue().encode()


def track_parquet(_flight_id: str, rows: Sequence[Row]) -> bytes:
    """A row a report, zstd."""
    columns = {
        name: pa.array([row[name] for row in rows], type=kind, from_pandas=True) for name, kind in COLUMNS.items()
    }
    buffer = io.BytesIO()
    parquet.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_time(unix_ms(value))
    return str(value).lower() if isinstance(value, bool) else value
