DELETE FROM history.statistics_flights WHERE hour < %(before)s;
