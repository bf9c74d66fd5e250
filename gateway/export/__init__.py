"""Long history elsewhere: what is stored here, sent on to InfluxDB 2 compatible databases.

readings.db: journal ──cursor per target──> points ──HTTP──> target
"""
