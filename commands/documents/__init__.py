"""What `--json` writes: the shape of each command's document, and how it is filled.

Scripts rely on these names. A field may be added; one that is renamed, or means something else, breaks them.
docs/json.md is generated from the dataclasses here.
"""
