"""
What is served over HTTP beside DAV: the public site in L{trekd.web.site}, trekctl's API in L{trekd.web.control}.
"""
