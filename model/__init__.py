"""The cycle-accurate model: the results of `spec`, the cycles of `rtl`, fast."""
