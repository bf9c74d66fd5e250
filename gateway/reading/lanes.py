"""What a packet says: a home's own SenML, or a foreign system's dialect.

up/{client}/{device}/reading   ──SenML──> the device's values
in/{integration}/…             ──dialect──> values, alarms and status of the devices behind it
"""

from broker import topics
from broker.bulk_session import Mark
from broker.topics import TopicError
from devices.codecs import senml
from devices.codecs.errors import PayloadError
from gateway.reading.foreign import ForeignLane
from services.readings.batch import Batch
from services.readings.register import Known, Register
from services.readings.taking import Taking, refuse


class Lanes:
    """Chooses by the topic."""

    def __init__(self, *, register: Register, taking: Taking, foreign: ForeignLane) -> None:
        self._register = register
        self._taking = taking
        self._foreign = foreign

    def handle(self, batch: Batch, topic: str, payload: bytes, received_us: int, marks: int) -> None:
        """Put what a packet says into the batch.

        Raises:
            PayloadError, NotAdmittedError: It cannot be taken; says why.
        """
        known = self._register.by_topic.get(topic)
        if known is None or known.is_stale:
            if topic.startswith(topics.INTEGRATION_PREFIX):
                is_retained = bool(marks & Mark.RETAINED)
                self._foreign.handle(batch, topic, payload, received_us, is_retained=is_retained)
                return
            known = self._find(topic)
        try:
            values = senml.decode(payload, received_us=received_us)
        except PayloadError as error:
            refuse(batch, topic, payload, error.reason, home_id=known.device.home_id)
            return
        self._taking.take(batch, known, values, received_us=received_us, topic=topic, payload=payload)

    def _find(self, topic: str) -> Known:
        try:
            parsed = topics.parse_home_topic(topic)
        except TopicError as error:
            raise PayloadError(str(error)) from error
        known = self._register.known(parsed.client_id, parsed.device_id)
        self._register.by_topic[topic] = known  # as many as the register remembers, which forgets them
        return known
