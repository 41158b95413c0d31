"""
The PROXY protocol: connections that a balancer hands on carry their client's address.

L{trekd.proxy.header} reads the header, L{trekd.proxy.factory} puts it before a listener's factory.
"""
