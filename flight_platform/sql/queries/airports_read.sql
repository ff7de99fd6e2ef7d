-- All airports, as flights/airports.py looks for them.
SELECT icao, iata, name, latitude, longitude, elevation_ft FROM reference.airports;
