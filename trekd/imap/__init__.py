"""
IMAP4rev1 (RFC 3501) for mail clients.

Entry points:

  - L{protocol<trekd.imap.protocol>}: C{IMAPFactory(services, ledger, reactor, tls)} makes the connections of one
    listener; C{services} is a C{Services(portal, mechanisms, store, config, hostname)}, C{tls} is for STARTTLS.
  - L{grammar<trekd.imap.grammar>}: octets into commands and values into octets, without I/O.

In between: L{dispatch<trekd.imap.dispatch>} runs one command at a time for a L{session<trekd.imap.session>},
L{commands<trekd.imap.commands>} does what it asks, L{selected<trekd.imap.selected>} is the mailbox as the client knows
it, L{responses<trekd.imap.responses>} turns errors into answers.
"""
