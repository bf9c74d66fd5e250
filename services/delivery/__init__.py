"""Carries notices to their receivers until they are confirmed; one module per channel."""
