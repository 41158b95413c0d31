"""
The parts of a running daemon: rooms that belong together, joined as objects that start and end as one.

A room joins the daemon in three steps: a module here makes its objects and ends them (as L{accounts} and L{mailout}
do), L{trekd.wiring.compose} adds it to the parts, and L{listening posts <posts>} says what of it is reached from
outside, its web resources with it.
"""
