"""
Calendars as octets and as meaning (RFC 5545, RFC 4791): no clock, no files, all of it bounded.

Entry points:

  - L{trekd.calendar.contentlines}: C{parse(octets, limits) -> Component}, C{parse_all}, C{write(component) -> bytes},
    C{escape}, C{unescape}, C{split_values}, C{join_values}: the tree that vCard shares
  - L{trekd.calendar.objects}: C{read_calendar_object(octets, supported, limits) -> CalendarObject}, and
    C{calendar_object(component, supported, limits)} of a tree
  - L{trekd.calendar.facts}: C{calendar_facts(found) -> ObjectFacts}, what goes into an index; C{mail_address(value)}
  - L{trekd.calendar.folding}: C{fold(text)}, C{collated(text, collation)}
  - L{trekd.calendar.recurrence}: C{instances(found, window, floating, bounds) -> Iterator[Instance]}
  - L{trekd.calendar.zones}: C{ZoneTable(calendar).zone(tzid)}, C{named_zone(tzid)}, C{content_zone(vtimezone)}
  - L{trekd.calendar.times}: C{Window}, C{Moment}, C{Zone}, C{UTC}
"""
