"""The description of what travels without being asked for, AsyncAPI 3.0, made from what runs.

addresses   ``broker.topics``, the routes of the stream
limits      the constants and enumerations of the codecs and of the domain
messages    ``messages``, tested against what the running code writes
"""
