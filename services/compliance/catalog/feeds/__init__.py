"""What vendors and public feeds publish, read from their own formats into catalog entries and facts of vulnerabilities.

Every module reads one format and does no I/O; `formats` knows them by name, `official` fetches from pinned addresses.
"""
