"""The gate: what must hold before an RTL change lands. `ci/gate` runs it."""
