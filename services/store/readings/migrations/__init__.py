"""The schema of the readings' own database file, one numbered file a version."""
