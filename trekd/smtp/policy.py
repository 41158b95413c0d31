"""
Who may send as whom (STYLE §7): the one place that answers it.

Which recipients a client may reach is the mail flow's answer (C{IMailFlow.resolve}); without an account it is
only those of this host.
"""

from __future__ import annotations

from collections.abc import Iterable

from trekd.directory.interfaces import Account
from trekd.errors import NotOwner
from trekd.values import Address


def owns(account: Account, address: Address) -> bool:
    """
    Whether the account may send from the address: its own, an alias, a further sender, any of them with a
    tag.

    Letter case makes no difference, as for the mail that arrives there.
    """
    owned = {str(own).lower() for own in (account.address, *account.aliases, *account.senders)}
    return str(address).lower() in owned or str(address.without_tag).lower() in owned


def check_reverse_path(account: Account, reverse_path: Address | None) -> None:
    """
    Let an account use a reverse-path; the null path is everybody's (RFC 6409 §6.1, RFC 3798 §3: receipts).

    @raise NotOwner: the address is another's; the error names it.
    """
    if reverse_path is not None and not owns(account, reverse_path):
        raise NotOwner(str(reverse_path))


def check_authors(account: Account, authors: Iterable[Address]) -> None:
    """
    Let an account name authors in the From field (RFC 6409 §6.1): all must be its own.

    @raise NotOwner: one is another's; the error names it.
    """
    for author in authors:
        if not owns(account, author):
            raise NotOwner(str(author))
