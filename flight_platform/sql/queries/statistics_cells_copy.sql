COPY history.statistics_cells (
    hour, cell, source, latitude, longitude, reports, flights, lowest_altitude_ft, highest_altitude_ft
) FROM STDIN;
