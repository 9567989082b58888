"""Parts of the assembler: files and lines, names, expressions."""
