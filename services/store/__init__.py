"""The only place that knows SQL.

Functions take a connection and never commit: a use case owns the transaction.
"""
