"""Theorems about arithmetic: BF16 and FP32 as IEEE 754 has them, MX elements as OCP has them."""
