"""The live stream ``/api/v1/events/stream``: Server-Sent Events of what an organisation is told.

    commit ──data_version, 20 ms──> tail: reads and judges once for all alike ──> every stream that keeps up
                                            store: read and judged anew      ──> a stream that lags or resumes

Read ``hub.Hub``, then ``stream.Stream``; ``response`` is what HTTP adds.
"""
