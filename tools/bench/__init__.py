"""The benchmark: this server, the limit of what MicroPython can do, and what one would use
instead, measured side by side on this machine. See docs/benchmarks.md.
"""
