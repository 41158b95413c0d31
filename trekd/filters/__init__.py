"""
What happens to mail on its way into an account: it is forwarded, kept, answered.

Entry points: L{trekd.filters.filter.AccountFilter}, which the mail flow asks
(L{trekd.queue.interfaces.IDeliveryFilter}); L{trekd.filters.srs.SenderRewriting} for the senders of what is
forwarded; L{trekd.filters.settings.Settings} with what accounts have set.
"""
