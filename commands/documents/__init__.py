"""What `--json` writes: the shape of each command's document, and how it is filled.

Scripts rely on these names: a field may be added, but one that is renamed, or means something else,
breaks them. docs/json.md is generated from the dataclasses here.
"""
