"""`patchline source capture`: raw deliveries of one source in a file, to study a vendor that we do not know yet.

Reads the raw topics, opens bodies with the gateway's own role and sealing key, writes one file that its owner alone
reads, and nothing else. Start at `commands`, then `reading`, then `rules`.
"""
