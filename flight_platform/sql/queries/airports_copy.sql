-- All airports at once.
COPY reference.airports (icao, iata, name, city, country, latitude, longitude, elevation_ft) FROM STDIN;
