"""
Routing, local delivery and the durable queue: contract in L{trekd.queue.interfaces}.

Entry points: L{trekd.queue.flow.MailFlow} over L{trekd.queue.routing.Routing},
L{trekd.queue.delivery.LocalDelivery} and L{trekd.queue.spool.Spool}; L{trekd.queue.dispatcher.Dispatcher} tries what
waits, and L{trekd.queue.reports.Reporter} tells senders what became of it.
"""
