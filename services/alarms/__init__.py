"""The case behind the calls: opened, joined, answered, escalated, closed.

opening     an event opens an alarm, joins it, or says that its cause is gone
answering   somebody acknowledges, comments, closes
chain       the next step of the response chain, its timers, at its end the city
telling     notices, their deliveries, and what the home hears
"""
