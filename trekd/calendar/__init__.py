"""
Calendars and contacts as octets and as meaning (RFC 5545, RFC 4791, RFC 7953, RFC 2426, RFC 6350): no clock, no files,
all of it bounded.

Entry points:

  - L{trekd.calendar.contentlines}: C{parse(octets, limits) -> Component}, C{parse_all(octets, limits)},
    C{write(component) -> bytes}, C{escape}, C{unescape}, C{split_values}, C{join_values}: the tree that vCard shares
  - L{trekd.calendar.objects}: C{read_calendar_object(octets, supported, limits) -> CalendarObject}, and
    C{calendar_object(component, supported, limits)} of a tree
  - L{trekd.calendar.facts}: C{calendar_facts(found) -> ObjectFacts}, what goes into an index; C{mail_address(value)}
  - L{trekd.calendar.folding}: C{fold(text)}, C{collated(text, collation)}, C{COLLATIONS}
  - L{trekd.calendar.recurrence}: C{instances(found, window, floating, bounds) -> Iterator[Instance]}
  - L{trekd.calendar.zones}: C{ZoneTable(calendar).zone(tzid)}, C{named_zone(tzid)}, C{content_zone(vtimezone)}
  - L{trekd.calendar.times}: C{Window}, C{Moment}, C{Zone}, C{UTC}
  - L{trekd.calendar.filters}: C{CompFilter}, C{PropFilter}, C{ParamFilter}, C{TextMatch}; C{matches(filter, found,
    floating, bounds)}; C{index_question(filter)}, C{index_hint(filter)}, C{index_text(filter)}
  - L{trekd.calendar.selection}: C{Selection}, C{CompSelection}, C{PropSelection}; C{select(selection, found, floating,
    bounds) -> bytes}, C{selected(...) -> Component}
  - L{trekd.calendar.freebusy}: C{busy_periods(spans, window)}, C{with_availability(busy, unavailable)},
    C{object_spans(found, window, floating, bounds)}, C{free_busy_calendar(about, periods) -> bytes}
  - L{trekd.calendar.availability}: C{read_availabilities(octets, limits)},
    C{availability_spans(found, window, floating)}
  - L{trekd.calendar.collection}: C{joined(calendars, properties) -> Iterator[bytes]}, C{Joiner},
    C{split(octets, limits, tree) -> Iterator[Imported]}
  - L{trekd.calendar.itip}: C{read_scheduled(calendar) -> Scheduled}, C{person(value)}; L{trekd.calendar.itiporganizer}:
    C{organizer_change(old, new, own, now) -> Change}; L{trekd.calendar.itipattendee}: C{attendee_change(old, new, own,
    now)}; L{trekd.calendar.itipreceived}: C{read_message(octets) -> Received}, C{applied(copy, message, own)},
    C{replied(copy, message)}, C{with_current_people(new, current, own)}, C{with_delivery(found, statuses)}
  - L{trekd.calendar.vcard}: C{read_card(octets, limits) -> Card}, C{card_of(tree)}, C{card_facts(card)},
    C{split_cards(octets, limits) -> Iterator[ImportedCard]}, C{with_uid(tree)}
  - L{trekd.calendar.vcardfilters}: C{CardFilter}, C{CardProp}, C{CardParam}, C{CardText}; C{matches(filter, tree)};
    C{index_questions(prop)}, C{part_of(tree, wanted) -> bytes}
  - L{trekd.calendar.vcardconversion}: C{converted(card, version) -> Component}
"""
