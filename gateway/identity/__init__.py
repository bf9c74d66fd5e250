"""The city's identity provider, as the web process meets it; and what it takes to meet people.

documents ──> issuer (its keys) ──> jwts ──> machine tokens, ID tokens of the code flow
peer_certificates, tls    who is at the other end of a TLS connection
"""
