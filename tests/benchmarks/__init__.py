"""Figures, not tests: what the alarm path costs, beside what the broker alone costs, in one run."""
