"""Clocks: durations, calendars, maintenance windows and what a change of the tz data moves."""
