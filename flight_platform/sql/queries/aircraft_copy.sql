-- All aircraft at once.
COPY reference.aircraft (
    icao24, registration, type_code, type_name, operator, type_class, wake_category, military, provider
) FROM STDIN;
