-- How much each reference table holds, and of the aircraft from whom and since when.
SELECT 'airports' AS name, count(*) AS rows, NULL AS provider, NULL::timestamptz AS loaded_at FROM reference.airports
UNION ALL
SELECT 'runways', count(*), NULL, NULL FROM reference.runways
UNION ALL
SELECT 'aircraft', count(*), min(provider), max(loaded_at) FROM reference.aircraft
ORDER BY name;
