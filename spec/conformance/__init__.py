"""Other people's designs against the sampling contracts: test vectors, judgements, conformance.

parameters     a contract's parameters: as typed, as drawn, as files
case           one step to be judged: logits, ids, mask, parameters
constructions  steps that are made to be hard
judge          equal, admissible or wrong, and why: the only place that knows certificates
hexfile        `$readmemh` text
plan           which steps a directory of vectors holds
vectors        the directory that `unmask vectors` writes and `unmask check` reads
drawn          Hypothesis strategies of cases
trial          a callable against a contract; failures are shrunk
plugin         the same as a pytest fixture, `unmask_conform`
"""
