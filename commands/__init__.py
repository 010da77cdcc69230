"""The commands: a module for each, with its options, its work and its words; `line` finds it."""
