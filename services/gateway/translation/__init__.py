"""Translating: raw bytes become canonical events. Start at `translate_app`.

`translate` (load, decide, save) -> `rules_translate` -> `store_translate`; `opening` unseals the bodies, `parked` lets
go what waited for a client. What each vendor says is in `services.gateway.vendors`.
"""
