"""The whole product on one machine: the real parts, the schemas, the topics, and every service as its own process.

Read in this order: `programs` (which processes with which settings) -> `stack` (start and stop) -> `supervisor`
(start again what ended) -> `commands` (`patchline up|down|status`).
"""
