"""What yao_tasks costs, measured: `python -m benchmarks`.

Absolute figures say more about a machine than about a library. So each figure is a ratio to something that was
measured in the same run, in turns with ours: peer, ours, peer again, and so on. What the peer shows against itself
is the noise; a difference below that means nothing.
"""
