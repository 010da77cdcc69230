"""What every other folder may use: errors, settings, logging, signals, streams."""
