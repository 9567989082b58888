"""Certificates: what can be proven of one step's tokens, and the sets that T1 leaves open.

exact         delta of a row in exact arithmetic, by `decimal` and integers alone
borders       the numbers that a rule's thresholds, factors and the like compare delta with
choice        a rule on numbers that are intervals: the chosen set, and whether there are others
admissible    the sets that an error as T1 allows it can lead to, and why another is refused
torch_error   what PyTorch's softmax may return, and so which sets PyTorch may choose
certificate   all of it for a step: `certify`

Logits of a model, one entry for each of its calls, to a file that `unmask certify` reads:

    import torch

    def keep(module, inputs, output):  # (B, L, V)
        steps.append(output.detach().to("cpu", torch.bfloat16))

    steps = []
    hook = model.lm_head.register_forward_hook(keep)
    generate(model)
    hook.remove()
    torch.save(torch.stack(steps), "logits.pt")  # (T, B, L, V)

or, with safetensors.torch, `save_file({"logits": torch.stack(steps)}, "logits.safetensors")`; then

    python -m unmask.spec certify logits.pt --k 8
"""
