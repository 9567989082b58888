"""Cosimulation: one bench for units and one for the core, for RTL and netlist, on two simulators.

`runner` builds and runs a simulation, `units` and `core` are the cocotb test modules, `bench` what
they share. `python -m unmask.tests.cosim replay FILE` runs a saved counterexample again with a
waveform.
"""
