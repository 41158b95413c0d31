"""
Routing, local delivery and the durable queue: contract in L{trekd.queue.interfaces}.
"""
