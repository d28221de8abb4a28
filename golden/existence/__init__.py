"""Tickets that are built, not searched: subset sums of the weight sequence."""
