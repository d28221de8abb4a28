"""Accelerator, simulator and RTL co-design package for Hidden-Fold Networks."""

__version__ = "0.2.0"
