"""The commands of `python -m unmask.spec`, one function and one parser entry each."""
