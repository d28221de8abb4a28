"""Exploration: the points that a sweep says, computed on all cores or a cluster, streamed to a
folder, and the front of those that no other beats. docs/exploration.md says how to use it."""
