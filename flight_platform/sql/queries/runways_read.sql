-- All runways, a direction each.
SELECT airport, name, length_ft, latitude, longitude, heading_deg FROM reference.runways;
