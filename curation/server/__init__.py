"""Argilla on one machine: installed, started, watched, stopped, saved."""
