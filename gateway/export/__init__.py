"""Long history elsewhere: what is stored here, sent on to InfluxDB 2 compatible databases.

    readings.db: journal ──cursor per target──> lines ──HTTP──> target       follow (one task a target)
    readings.db: history ──since … until──────> lines ──HTTP──> target       ``stadsnav export again``

At least once: a cursor moves after the target has answered, and the same reading is always the same point.
Nothing here writes to readings.db, and no resident, home, device or address leaves the house.
"""
