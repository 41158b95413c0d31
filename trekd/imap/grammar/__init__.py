"""
IMAP on the wire: octets to commands, values to octets (RFC 3501 §9 and extensions); no I/O, no session.

Entry points:

  - L{fragments<trekd.imap.grammar.fragments>}: C{CommandReader(ReaderLimits())} cuts octets into events:
    C{feed(octets)}, then C{next_event()} until it is C{None}; C{expect_line}, C{accept_literal},
    C{refuse_literal}, C{abandon_append}, C{take_rest}, C{is_full}; C{command_tag(fragments)} is whose answer
    a broken command gets.
  - L{parsing<trekd.imap.grammar.parsing>}: C{parse_command(fragments, ParseOptions())} makes the value of
    C{CommandOctets}; C{sasl_response(line)} reads a C{ContinuationLine} of AUTHENTICATE.
  - L{append<trekd.imap.grammar.append>}: C{parse_append}, C{parse_append_piece}, C{parse_append_end} read what stands
    around the messages of APPEND and REPLACE; L{urls<trekd.imap.grammar.urls>}: C{parse_url}.
  - L{commands<trekd.imap.grammar.commands>}, L{fetch<trekd.imap.grammar.fetch>},
    L{search<trekd.imap.grammar.search>}: one value class per command, what FETCH and what SEARCH ask for.
  - L{sequence<trekd.imap.grammar.sequence>}: C{SequenceSet}, resolved against counts and arrays of UIDs;
    C{uid_set(uids)}.
  - L{names<trekd.imap.grammar.names>}: C{list_pattern(reference, pattern).matches(name)}, modified UTF-7.
  - L{writing<trekd.imap.grammar.writing>}: tokens and lines of responses, response codes.
  - L{tokens<trekd.imap.grammar.tokens>}: C{Cursor} and C{ParseOptions}; new commands are read with it.

Octets raise L{trekd.errors.SyntaxFault} and its kin (C{LimitExceeded}, C{UnknownCommand}, C{BadCharset}), to
be answered C{BAD} or C{NO}; a well-formed name that no mailbox can have raises
L{trekd.errors.BadMailboxName}.
"""
