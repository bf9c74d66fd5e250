"""What monitoring is told: each process keeps its own figures, the web process answers ``/metrics``.

    alarm, reading, export, outward ──once a second──> DIR/run/metrics/NAME.prom ─┐
    stadsnav.db, readings.db ──read when asked──────────────────────────────────> /metrics

Nobody's name is on the page: no home, device or person, and of organisations only the id.
"""
