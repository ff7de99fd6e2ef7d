COPY history.statistics_flights (hour, flight_id, kind, source, reports) FROM STDIN;
