"""Faster forms of the loops, behind one door."""
