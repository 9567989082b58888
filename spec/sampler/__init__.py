"""The sampler for PyTorch: what the core computes, on tensors, for `torch.compile`, on any device.

    step         `sample_step`: one step of any contract of `unmask.spec.reference`
    select       how a `Rule` chooses positions by their keys
    rows         rows of logits to softmax states: counted, by `counting` (numba) or by PyTorch
    end          states to tokens, keys, confidences
    operators    the same as operators of PyTorch; vocabularies split over devices
    adapters     LLaDA's `generate` and SGLang's algorithms on top of it

A generation loop, `model` being any function from ids (B, N) to logits (B, N, V):

    import unmask

    def generate(model, prompt, length, mask_id, tau=0.9):
        masks = prompt.new_full((len(prompt), length), mask_id)
        x = torch.cat([prompt, masks], dim=1)
        for _ in range(length):  # each step fills at least one position of every row
            step = unmask.sample_step(model(x), x, mask_id, "fast_dllm_v1_threshold", tau=tau)
            x = step.x
            if not (x == mask_id).any():
                break
        return x
"""
