"""
Mail to other servers: the SMTP client, its connections, the hosts it may use and what it demands of them.
"""
