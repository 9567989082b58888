"""The table of sampling contracts, by name."""

from __future__ import annotations

from unmask.spec.reference import (
    dinfer,
    dream,
    fast_dllm,
    fast_dllm_v1,
    fast_dllm_v2,
    llada,
    llada2,
    sglang,
)

CONTRACTS = {
    contract.name: contract
    for contract in (
        llada.LOW_CONFIDENCE,
        llada.LOW_CONFIDENCE_FP64,
        llada.RANDOM,
        fast_dllm.QUOTA,
        fast_dllm.THRESHOLD,
        fast_dllm.FACTOR,
        fast_dllm.FACTOR_PAPER,
        fast_dllm_v1.QUOTA,
        fast_dllm_v1.THRESHOLD,
        fast_dllm_v2.THRESHOLD,
        dream.MASKGIT_PLUS,
        dinfer.THRESHOLD,
        dinfer.THRESHOLD_FP64,
        llada2.LLADA2,
        llada2.LLADA2_DIFFUSERS,
        llada2.LLADA21,
        sglang.LOW_CONFIDENCE,
        sglang.JOINT_THRESHOLD,
    )
}
