"""Readings of a whole city from one process, cheap enough not to be the bottleneck.

LoadPlan ──> PackRing (packets made before the start) ──patched──> HubLink (MQTT 3.1.1, QoS 1) ──> broker
                                                                       └──PUBACKs──> LoadReport, ledger

    python -m devices.simulator.load PLAN.json        a report per second, as a line of JSON

Pack number k of a hub, its device and its time follow from the plan alone. PUBACKs come in order, so one
counter for each hub says which packs the broker has taken over.
"""

from devices.simulator.load.plan import Ledger, LoadHub, LoadPlan, LoadReport, read_ledger
from devices.simulator.load.process import LoadProcess

__all__ = ["Ledger", "LoadHub", "LoadPlan", "LoadProcess", "LoadReport", "read_ledger"]
