"""The commands of `python -m unmask.model`, one module each."""
