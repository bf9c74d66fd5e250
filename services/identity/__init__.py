"""People who sign in, their sessions, and machines that the city's identity provider vouches for.

name, password, code ──tries──> signing_in ──> sessions ──> actor
identity provider    ─────────> provided   ──┘
"""
