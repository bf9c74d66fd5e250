"""The reading process: what homes and integrations measure, on its way to the disk.

broker ──> intake ──> SenML or a foreign dialect ──> taking ──> one commit ──> PUBACK ──> sharing
"""
