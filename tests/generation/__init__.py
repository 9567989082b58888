"""A whole generation, end to end: real logits of a real model, and two samplers on each of them.

text        the corpus, which Python brings along, and its vocabulary
model       a tiny masked diffusion language model, its checkpoint and its loss
train       makes the checkpoint, in minutes on two cores
measure     what it has learned
loop        LLaDA's and Fast-dLLM's loops with a second sampler beside the published one
ours        the second sampler, `unmask.sample_step`, and its certificate
__main__    shows it: `python -m unmask.tests.generation`
"""
