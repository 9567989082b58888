"""The ISA manual: generated pages, the examples in them, and what makes them."""
