"""What is done with measured values.

history     a stretch of time in a few hundred buckets, or the newest readings
formats     the same as CSV, JSON and Parquet, in pieces
"""
