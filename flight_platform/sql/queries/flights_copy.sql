-- Takes the rows of flights.py.
COPY history.flights (
    flight_id, first_time, last_time, positions, callsign, callsigns, first_latitude, first_longitude, last_latitude,
    last_longitude, south, west, north, east, departure_airport, departure_confidence, takeoff_time, takeoff_confidence,
    arrival_airport, arrival_confidence, landing_time, landing_confidence, distance_nm, average_ground_speed_kt,
    max_ground_speed_kt, max_altitude_ft, on_ground_s, below_3000_ft_s, from_3000_ft_s, from_10000_ft_s,
    from_25000_ft_s, from_35000_ft_s, unknown_s, gap_count, gap_s, longest_gap_s, gaps, final
) FROM STDIN;
