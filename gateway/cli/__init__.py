"""The command line: one module per noun, over the same use cases as every other way in."""
