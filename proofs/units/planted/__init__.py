"""One planted bug for each unit that has a binding file: the twin of its generated theorems.

Binding's name -> what a designer could have written by mistake. A unit without a row is checked
against a contract that misreads one bit instead. One file a folder of `rtl`.
"""

from unmask.proofs.engine.mutate import Mutation
from unmask.proofs.units.planted import scalar, softmax, vector

PLANTED: dict[str, Mutation] = {**vector.PLANTED, **scalar.PLANTED, **softmax.PLANTED}
