"""What the project claims of its speed, measured beside what users would pick instead. `python -m benchmarks --help`."""
