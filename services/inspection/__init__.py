"""What is done with the log once it is written: signed, verified, shown, sampled, kept for five years.

audit (chain) ──> heads (signed) ──> verification        extract, export, samples ──> people        retention
"""
