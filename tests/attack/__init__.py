"""Attacks on a running trunk-server, each in a bounded form on loopback.

Every attack that once succeeded is a row here: what was done from outside, the figure that shows whether it still
works, and the threshold that the figure must keep. The package knows nothing of the server's code: it starts a
binary, speaks HTTP, SIP and RTP in its own words, and reads the rest from the kernel (`/proc`). So the same rows can
be run against any build, and a row that was never seen to fail on a build without its mend shows nothing.

Rules of this package: the standard library and `wrk`; addresses of 127.0.0.0/8 alone; ports from the kernel; every
loop has an end in count or in time; only processes that were started here are ended.
"""
