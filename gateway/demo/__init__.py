"""``stadsnav demo``: the whole product with a simulated town and simulated care providers.

    town (devices.simulator) ──real MQTT, real certificates──> product <── partners (aiomqtt)
                                                                  └──> board: what happens, live

Nothing of the product knows that it is a demo: homes and partners come in by the same two ports as anybody.
"""

from gateway.demo.stage import run

__all__ = ["run"]
