"""Streams, as far as they need neither a broker nor the packages of the extra."""
