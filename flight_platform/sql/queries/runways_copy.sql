-- All runways at once.
COPY reference.runways (airport, name, length_ft, latitude, longitude, heading_deg) FROM STDIN;
