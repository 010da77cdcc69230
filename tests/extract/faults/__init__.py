"""Faults of networks, servers and disks, and kills at any moment, against a real extract."""
