"""The HTTP interface of the public contract, below ``/api/v1``.

    request ─> onion ─> caller (token) ─> query ─> judged by grants ─> look logged ─> answer
                └─ whatever is refused or fails on the way becomes a problem (RFC 9457)

Read ``app.install``, then ``readings``.
"""
