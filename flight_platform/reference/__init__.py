"""What changes slowly and others publish: airports, runways, aircraft. Files in, rows out, tables filled."""
