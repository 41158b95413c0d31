"""
Who vouches for a message: SPF, DKIM and DMARC checked on mail that comes in, DKIM signed on mail that goes out.
"""
