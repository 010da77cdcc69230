"""Tests that take long or need what a plain machine has not; `make` names each of them."""
