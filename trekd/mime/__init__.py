"""
Messages as octets (RFC 5322, RFC 2045 to 2049, RFC 2231): one pass finds all that is stored about a message.

Entry points: L{trekd.mime.scanner.scan} (ENVELOPE, BODYSTRUCTURE, part index, search keys),
L{trekd.mime.sections} (C{BODY[...]} and decoded parts), L{trekd.mime.text} (search), L{trekd.mime.header}
(header fields), L{trekd.mime.addresses} (address lists) and L{trekd.mime.reader.MimeReader}, the object
handed to the store.

Everything here is pure, never raises on any octets, and takes time linear in them.
"""
