DELETE FROM history.statistics WHERE period = 'day' AND period_start = %(day)s;
