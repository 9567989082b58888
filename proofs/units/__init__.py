"""Theorems that RTL units do what the specification says."""
