"""``stadsnav doctor``: looks at everything that alarms depend on, and says what is wrong and what mends it.

    folder ──> settings ──> store ──> machine, certificates, contents ──> a list of checks, worst not first

It only looks: nothing is made, moved or repaired, and it works beside a running product, before the first
start, and on a folder in which something is broken.
"""

from gateway.doctor.check import Check, Status
from gateway.doctor.examination import examine

__all__ = ["Check", "Status", "examine"]
