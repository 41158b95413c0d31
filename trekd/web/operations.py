"""
What C{trekctl} can ask for: one method each, values in and out as in JSON, without HTTP.

The daemon offers them on its control socket (L{trekd.web.control}); when it is down C{trekctl} calls those that need
only files in its own process.
"""

from __future__ import annotations

from trekd.web.accounts import AccountOperations
from trekd.web.collaborators import Collaborators
from trekd.web.daemon import DaemonOperations
from trekd.web.dkim import DKIMOperations
from trekd.web.entries import EntryOperations
from trekd.web.filters import FilterOperations
from trekd.web.mail import MailOperations
from trekd.web.names import NameOperations
from trekd.web.outgoing import OutgoingOperations
from trekd.web.queue import QueueOperations
from trekd.web.shares import ShareOperations


class Operations:
    """
    All operations.  Each takes a body (JSON, already read, or octets) and gives JSON, or an iterator of JSON or octets.

    Errors are those of L{trekd.errors}; L{SyntaxFault} for a body that is not as it should be.
    """

    def __init__(self, collaborators: Collaborators) -> None:
        self.daemon = DaemonOperations(collaborators)
        self.accounts = AccountOperations(collaborators)
        self.filters = FilterOperations(collaborators)
        self.mail = MailOperations(collaborators)
        self.entries = EntryOperations(collaborators)
        self.dkim = DKIMOperations(collaborators)
        self.names = NameOperations(collaborators)
        self.queue = QueueOperations(collaborators)
        self.outgoing = OutgoingOperations(collaborators)
        self.shares = ShareOperations(collaborators)
