"""What PyTorch does, as oracles for the tests. Needs `unmask[torch]`."""
