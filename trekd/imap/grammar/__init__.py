"""
IMAP on the wire: octets to commands, values to octets (RFC 3501 §9 and extensions); no I/O, no session.

Entry points:

  - L{trekd.imap.grammar.commands}: one value class per command; L{fetch<trekd.imap.grammar.fetch>} and
    L{search<trekd.imap.grammar.search>} hold what FETCH and SEARCH ask for;
  - L{trekd.imap.grammar.sequence}: C{SequenceSet}, C{uid_set}.
"""
