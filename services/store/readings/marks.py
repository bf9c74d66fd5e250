"""What the reading process must know again after a restart: rules under way, clocks that are wrong."""

from collections.abc import Mapping

from services.store.connection import Connection


def set_rule_states(connection: Connection, states: Mapping[tuple[str, str], str]) -> None:
    """Keep the state, as text, of rules by position and name; an empty text is one that is quiet."""
    for (position_id, rule), state in states.items():
        if state:
            connection.run(
                """INSERT INTO rule_states (position_id, rule, state) VALUES (?, ?, ?)
                   ON CONFLICT (position_id, rule) DO UPDATE SET state = excluded.state""",
                position_id,
                rule,
                state,
            )
        else:
            connection.run("DELETE FROM rule_states WHERE position_id = ? AND rule = ?", position_id, rule)


def rule_states(connection: Connection) -> dict[tuple[str, str], str]:
    """Every rule that is not quiet."""
    rows = connection.rows("SELECT position_id, rule, state FROM rule_states")
    return {(row[0], row[1]): row[2] for row in rows}


def forget_position(connection: Connection, position_id: str) -> None:
    """Forget the rules of a position."""
    connection.run("DELETE FROM rule_states WHERE position_id = ?", position_id)


def set_clocks(connection: Connection, clocks: Mapping[str, str]) -> None:
    """Keep what is thought of devices' clocks, as text; an empty one is right."""
    for device_id, clock in clocks.items():
        if clock:
            connection.run(
                """INSERT INTO device_clocks (device_id, clock) VALUES (?, ?)
                   ON CONFLICT (device_id) DO UPDATE SET clock = excluded.clock""",
                device_id,
                clock,
            )
        else:
            connection.run("DELETE FROM device_clocks WHERE device_id = ?", device_id)


def clocks(connection: Connection) -> dict[str, str]:
    """What is thought of clocks that are not right, as text by device."""
    return {row[0]: row[1] for row in connection.rows("SELECT device_id, clock FROM device_clocks")}
