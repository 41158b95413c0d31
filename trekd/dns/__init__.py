"""
Names: what the resolver says of hosts, mail exchangers, texts and TLSA records.
"""
