"""What the reports of one flight say of it: pure functions over its track, no store and no clock."""
