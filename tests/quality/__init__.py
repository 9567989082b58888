"""Do our own tools find what is broken, shrink it, and say it well?"""
