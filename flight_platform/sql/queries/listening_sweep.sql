-- Runs of feeds that no hour is judged by any more.
DELETE FROM ops.listening WHERE heard_to < %(now)s::timestamptz - %(keep)s::interval;
